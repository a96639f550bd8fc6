// Lengths in 32 bits, signed and unsigned, before and after the packet has moved: differences of the low halves of packet pointers.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { SIGNED, PLACES, SPREAD, HEAD, TAIL, META, LOOP };

/* Differences of two fields of the context: clang subtracts what it loaded. */
static __always_inline __u32 length(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

static __always_inline __u32 metadata(struct xdp_md *ctx)
{
	return ctx->data - ctx->data_meta;
}

/* key is a place in the packet, value a move. */
// packet: SIGNED
// packet: SIGNED length=99
// packet: SIGNED length=100
// packet: SIGNED length=3520
// packet: PLACES key=0
// packet: PLACES key=31 length=77
// packet: SPREAD key=3
// packet: SPREAD key=60 length=100
// packet: HEAD value=0
// packet: HEAD value=-20
// packet: HEAD value=-216 length=1000
// packet: HEAD value=-217
// packet: HEAD value=8 length=100 fill=ramp
// packet: TAIL value=0
// packet: TAIL value=20
// packet: TAIL value=-10 length=200
// packet: TAIL value=-200 length=200
// packet: META value=-4
// packet: META value=-32
// packet: META value=-6
// packet: META value=0
// packet: LOOP key=5
// packet: LOOP key=0
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	void *end = (void *)(long)ctx->data_end;
	__u32 before, after, op, place;
	int signed_length, move, result;
	__u8 *p;

	if (outside(r, ctx))
		return XDP_DROP;
	op = r->op;
	move = r->value;
	before = length(ctx);
	switch (op) {
	case SIGNED:
		signed_length = end - (void *)r;
		r->result = signed_length - 100;
		r->seen = (__u32)signed_length / 3;
		if (signed_length - 100 < 0)
			return XDP_TX;
		return XDP_PASS;
	case PLACES:
		place = r->key & 31;
		p = (__u8 *)r + place;
		if ((void *)(p + 1) > end)
			return XDP_ABORTED;
		/* The pointers serve as such, too. */
		r->result = (int)(end - (void *)p);
		r->seen = (__u32)((void *)p - end);
		r->more[0] = (__u32)((void *)p - (void *)r);
		r->more[1] = (__u16)((__u32)(long)end - (__u32)(long)p);
		*p ^= 0x55;
		return XDP_PASS;
	case SPREAD:
		/* The half is moved before it is subtracted. */
		place = (__u32)(long)end;
		barrier_var(place);
		place -= r->key;
		barrier_var(place);
		place += 1;
		r->result = place - (__u32)(long)r;
		return XDP_PASS;
	case HEAD:
		result = bpf_xdp_adjust_head(ctx, move);
		break;
	case TAIL:
		result = bpf_xdp_adjust_tail(ctx, move);
		break;
	case META:
		result = bpf_xdp_adjust_meta(ctx, move);
		after = metadata(ctx);
		r = request(ctx);
		if (outside(r, ctx))
			return XDP_ABORTED;
		r->result = result;
		r->seen = after;
		r->more[0] = (int)(ctx->data_meta - ctx->data_end);
		return XDP_PASS;
	case LOOP:
		/* What is left, by a pointer that goes on. */
		p = (__u8 *)r;
		after = 0;
		for (place = 0; place < 8; place++) {
			p += r->key & 7;
			after = after * 2 + ((int)(end - (void *)p) > 40);
		}
		r->result = after;
		return XDP_PASS;
	default:
		return XDP_ABORTED;
	}
	after = length(ctx);
	r = request(ctx);
	if (outside(r, ctx))
		return after < 64 ? XDP_TX : XDP_ABORTED;
	r->result = result;
	r->seen = before;
	r->more[0] = after;
	r->more[1] = (int)(before - after);
	place = (void *)(long)ctx->data_end - (void *)r;
	barrier_var(place);
	r->more[2] = place - before;
	return XDP_PASS;
}

LICENSE;
