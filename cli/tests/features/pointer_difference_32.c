// The length of the packet in 32 bits, as clang computes it where the result is a __u32: the low halves of two pointers.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LENGTH, SHORT };

// packet: LENGTH
// packet: LENGTH length=65
// packet: LENGTH length=3520
// packet: SHORT length=300
// packet: SHORT length=100
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u32 length;

	if (outside(r, ctx))
		return XDP_DROP;
	length = ctx->data_end - ctx->data;
	if (r->op == SHORT)
		return length > 200 ? XDP_TX : XDP_DROP;
	r->result = length;
	return XDP_PASS;
}

LICENSE;
