// accept: a function that others may call is checked by its types, whatever it is given
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int first(struct xdp_md *ctx, __u32 at)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (at > 100 || data + at + 1 > end)
		return 0;
	return *(__u8 *)(data + at);
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (data + 20 > end)
		return XDP_DROP;
	return first(ctx, *(__u8 *)data & 15) & 1 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
