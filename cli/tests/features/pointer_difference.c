// The length of the packet as programs compute it, in 64 bits.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LENGTH, SHORT, REST };

// packet: LENGTH
// packet: LENGTH length=65
// packet: LENGTH length=3520
// packet: SHORT length=300
// packet: REST key=0
// packet: REST key=9 length=100
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	void *end = (void *)(long)ctx->data_end;
	__u64 length, place;

	if (outside(r, ctx))
		return XDP_DROP;
	length = end - (void *)r;
	barrier_var(length);
	switch (r->op) {
	case LENGTH:
		r->result = length;
		return XDP_PASS;
	case SHORT:
		return length > 200 ? XDP_TX : XDP_DROP;
	case REST:
		place = r->key & 31;
		r->result = end - ((void *)r + place);
		r->seen = (void *)r + place - end;
		return XDP_PASS;
	}
	return XDP_ABORTED;
}

LICENSE;
