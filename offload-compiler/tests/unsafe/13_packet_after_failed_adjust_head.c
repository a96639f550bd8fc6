// expect: not a pointer at 18
// kernel: invalid mem access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Pointers die with the call, also where bpf_xdp_adjust_head fails. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u8 *byte = data;

	if (data + 1 > data_end)
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, 4))
		return *byte;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
