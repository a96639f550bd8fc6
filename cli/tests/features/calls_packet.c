// Functions that move the packet's front, are called in loops, hand each other pointers to their variables, and keep much alive over
// calls of others that do so, too.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { HEAD, LOOP, CALLBACK, ALIVE, EARLY, PASSED };

// packet: HEAD value=1 flags=8
// packet: HEAD value=2 flags=0-4
// packet: HEAD value=3 flags=1000
// packet: LOOP value=5 key=0
// packet: LOOP value=5 key=1
// packet: LOOP value=0xffffffffffffff00 key=13
// packet: CALLBACK value=3 key=4
// packet: ALIVE key=11 value=12 flags=13 more0=14 more1=15 more2=16
// packet: EARLY value=0
// packet: EARLY value=3
// packet: EARLY value=8
// packet: PASSED value=100 flags=7
struct pair {
	__u64 low, high;
};

static __noinline int move(struct xdp_md *ctx, int by)
{
	return bpf_xdp_adjust_head(ctx, by);
}

static __noinline void add(struct pair *sum, __u64 value)
{
	sum->low += value;
	if (sum->low < value)
		sum->high++;
}

/* Hands a pointer on. */
static __noinline void add_twice(struct pair *sum, __u64 value)
{
	struct pair own = { value, 1 };

	add(&own, value * 2);
	add(sum, own.low);
	add(sum, own.high);
}

static long each(__u32 index, struct pair *sum)
{
	add_twice(sum, index + 1);
	return index > 9;
}

static __noinline __u64 four(__u64 a, __u64 b, __u64 c, __u64 d)
{
	struct pair one = { a, b }, two = { c, d };

	add(&one, d);
	add(&two, a);
	return one.low * 3 + two.low * 5 + b * 7 + c * 11 + one.high + two.high;
}

/* Ends in several places. */
static __noinline int early(__u64 value)
{
	if (value == 0)
		return 1;
	if (value & 1)
		return value + 40;
	return four(value, 1, 2, 3) & 0xff;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct pair sum = { 0, 0 };
	__u64 a, b, c, d, e, f;
	__u32 n;
	int code;

	if (outside(r, ctx))
		return XDP_DROP;
	a = r->value;
	switch (r->op) {
	case HEAD:
		code = move(ctx, r->flags);
		r = request(ctx);
		if (outside(r, ctx))
			return XDP_DROP;
		r->result = code;
		r->seen = a;
		return code ? XDP_DROP : XDP_TX;
	case LOOP:
		n = r->key & 15;
		for (__u32 i = 0; i < n; i++)
			add_twice(&sum, a + i);
		break;
	case CALLBACK:
		bpf_loop(r->key & 15, each, &sum, 0);
		r = request(ctx);
		if (outside(r, ctx))
			return XDP_DROP;
		break;
	case ALIVE:
		b = r->key;
		c = r->flags;
		d = r->more[0];
		e = r->more[1];
		f = r->more[2];
		sum.low = four(a, b, c, d) + four(f, e, d, c);
		sum.high = four(sum.low, a, e, f) ^ (a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f);
		break;
	case EARLY:
		return early(a);
	case PASSED:
		sum.high = r->flags;
		add(&sum, a);
		add_twice(&sum, sum.low);
		break;
	default:
		return XDP_DROP;
	}
	r->result = sum.low;
	r->seen = sum.high;
	return XDP_TX;
}

LICENSE;
