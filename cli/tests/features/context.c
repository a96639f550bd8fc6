// The context: length, metadata, interface and receive queue.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { READ, IN_FUNCTION, BRANCH };

// packet: READ
// packet: READ length=65
// packet: READ length=1514
// packet: READ length=3520
// packet: READ port=1
// packet: READ port=2 queue=5
// packet: READ port=7 queue=63
// packet: IN_FUNCTION port=3 queue=9
// packet: BRANCH port=0
// packet: BRANCH port=1
// packet: READ length=63
static __noinline __u32 queue(struct xdp_md *ctx, __u32 add)
{
	return ctx->rx_queue_index + add;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case READ:
		r->result = (long)ctx->data_end - (long)ctx->data;
		r->seen = (long)ctx->data - (long)ctx->data_meta;
		r->more[0] = ctx->ingress_ifindex;
		r->more[1] = ctx->rx_queue_index;
		return XDP_PASS;
	case IN_FUNCTION:
		r->result = queue(ctx, 100) + queue(ctx, 1000);
		return XDP_PASS;
	case BRANCH:
		return ctx->ingress_ifindex == 1 ? XDP_TX : XDP_DROP;
	}
	return XDP_ABORTED;
}

LICENSE;
