// expect: used after the packet moved at 23
// kernel: invalid mem access 'scalar'
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The function that is called may move the packet. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int grow(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_head(ctx, -4);
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(data + 1) > end)
		return XDP_DROP;
	if (grow(ctx))
		return XDP_DROP;
	return *data & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
