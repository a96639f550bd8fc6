// bpf_loop in the callback of a bpf_loop, and one callback with contexts in two frames.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { FLAT, NESTED };

// packet: FLAT value=0
// packet: FLAT value=4
// packet: NESTED value=0
// packet: NESTED value=1
// packet: NESTED value=7
struct state {
	__u64 sum;
	__u32 calls;
};

static long add(__u32 index, void *context)
{
	struct state *state = context;

	state->sum += index * 3;
	state->calls++;
	return 0;
}

static long outer(__u32 index, void *context)
{
	struct state *state = context;
	struct state inner = { .sum = index };

	bpf_loop(index, add, &inner, 0);
	state->sum += inner.sum;
	state->calls += inner.calls;
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct state state = {};

	if (outside(r, ctx))
		return XDP_DROP;
	if (r->op == FLAT) {
		r->result = bpf_loop(r->value, add, &state, 0);
		APART("flat");
	} else {
		r->result = bpf_loop(r->value, outer, &state, 0);
		APART("nested");
	}
	r->seen = state.sum;
	r->more[1] = state.calls;
	return XDP_PASS;
}

LICENSE;
