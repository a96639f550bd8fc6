// expect: packet moved at 17
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* After bpf_xdp_adjust_head the new packet is compared with the old end. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *old_end = (void *)(long)ctx->data_end;
	__u8 *byte;

	if (bpf_xdp_adjust_head(ctx, 4))
		return XDP_DROP;
	byte = (void *)(long)ctx->data;
	if ((void *)(byte + 1) > old_end)
		return XDP_DROP;
	return *byte;
}

char _license[] SEC("license") = "Dual MIT/GPL";
