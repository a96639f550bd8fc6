// A function that gives the packet's start or NULL: clang compares the low half of ctx->data with 0.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

/* NULL if the packet is shorter. */
static __always_inline void *first(struct xdp_md *ctx, __u32 bytes)
{
	void *data = (void *)(long)ctx->data;

	if (data + bytes > (void *)(long)ctx->data_end)
		return 0;
	return data;
}

// packet: 0
// packet: 1 length=99
// packet: 2 length=100
// packet: 3 length=20
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u8 *start = first(ctx, 64);

	if (!start)
		return XDP_DROP;
	start[20] = 0xaa;
	start = first(ctx, 100);
	if (!start)
		return XDP_TX;
	start[99] = 0xbb;
	return XDP_PASS;
}

LICENSE;
