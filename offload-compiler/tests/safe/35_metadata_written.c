// accept: Room for metadata is made, and written after a comparison with data
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data, *meta;

	if (bpf_xdp_adjust_meta(ctx, -8))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data;
	meta = (void *)(long)ctx->data_meta;
	if (meta + 8 > data)
		return XDP_ABORTED;
	*(__u32 *)meta = ctx->rx_queue_index;
	*(__u32 *)(meta + 4) = 7;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
