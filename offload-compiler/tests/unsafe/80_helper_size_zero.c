// expect: may be 0 at 16
// kernel: invalid zero-sized read
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The helper wants at least one byte. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	char bytes[16];
	__u32 size = ctx->rx_queue_index;

	if (size > 16)
		return XDP_DROP;
	bpf_xdp_load_bytes(ctx, 0, bytes, size);
	return bytes[0];
}

char _license[] SEC("license") = "Dual MIT/GPL";
