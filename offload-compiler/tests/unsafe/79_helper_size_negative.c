// expect: may be negative at 19
// kernel: R4 min value is negative
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A signed size may be negative. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	char bytes[16];
	__s64 size = (__s32)ctx->rx_queue_index;

	if (size > 16)
		return XDP_DROP;
	asm volatile("" : "+r"(size));
	if (!size)
		return XDP_DROP;
	bpf_xdp_load_bytes(ctx, 0, bytes, size);
	return bytes[0];
}

char _license[] SEC("license") = "Dual MIT/GPL";
