// expect: size in argument 4 at 16
// kernel: R4 unbounded memory access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The packet says how many bytes the helper reads. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	char bytes[16];
	__u32 size = ctx->rx_queue_index;

	if (!size)
		return XDP_DROP;
	bpf_xdp_load_bytes(ctx, 0, bytes, size);
	return bytes[0];
}

char _license[] SEC("license") = "Dual MIT/GPL";
