// expect: used after the packet moved at 18
// kernel: invalid mem access 'scalar'
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The pointer is from before the metadata moved. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 *meta = (void *)(long)ctx->data_meta;
	void *data = (void *)(long)ctx->data;

	if ((void *)(meta + 1) > data)
		return XDP_DROP;
	if (bpf_xdp_adjust_meta(ctx, -4))
		return XDP_DROP;
	return *(volatile __u32 *)meta & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
