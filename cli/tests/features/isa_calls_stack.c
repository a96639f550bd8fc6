// Local functions with pointers to their callers' stacks, of one frame and of another; the callers' registers survive.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { STACK, TWICE, MIDDLE };

// packet: STACK value=5
// packet: STACK value=0xffffffffffffffff
// packet: TWICE value=100 flags=30
// packet: MIDDLE value=9 flags=2
struct state {
	__u64 in;
	__u64 out;
	__u32 calls;
};

static __noinline void square(struct state *state)
{
	state->out = state->in * state->in + state->calls;
	state->calls += 2;
}

static __noinline void exchange(__u64 *a, __u64 *b)
{
	__u64 keep = *a;

	*a = *b;
	*b = keep;
}

/* The caller's registers survive, and what it left on its stack. */
static __noinline __u64 middle(__u64 a, __u64 b)
{
	struct state state = { .in = a };
	__u64 sum = b;

	for (int i = 0; i < 3; i++) {
		square(&state);
		sum += state.out;
		state.in = sum & 0xff;
	}
	return sum;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct state state = {};
	__u64 a, b;

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case STACK:
		state.in = r->value;
		state.calls = 40;
		square(&state);
		r->result = state.out;
		r->seen = state.calls;
		return XDP_PASS;
	case TWICE:
		a = r->value;
		b = r->flags;
		exchange(&a, &b);
		r->result = a - b;
		exchange(&b, &a);
		r->seen = a - b;
		return XDP_PASS;
	case MIDDLE:
		r->result = middle(r->value, r->flags) + middle(r->flags, r->value);
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
