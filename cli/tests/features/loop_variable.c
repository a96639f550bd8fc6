// bpf_loop with flags and a callback that are only known when the program runs.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { FLAGS, CALLBACK };

/* value is the number of calls. */
// packet: FLAGS value=3 flags=0
// packet: FLAGS value=3 flags=1
// packet: FLAGS value=0 flags=1
// packet: FLAGS value=0x800001 flags=0x100000000
// packet: CALLBACK value=5 key=0
// packet: CALLBACK value=5 key=1
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

static long early(__u32 index, void *context)
{
	struct state *state = context;

	state->calls++;
	return index == 2;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct state state = {};

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case FLAGS:
		r->result = bpf_loop(r->value, add, &state, r->flags);
		APART("flags");
		break;
	case CALLBACK:
		r->result = bpf_loop(r->value, r->key & 1 ? early : add, &state, 0);
		APART("callback");
		break;
	default:
		return XDP_DROP;
	}
	r->seen = state.sum;
	r->more[1] = state.calls;
	return XDP_PASS;
}

LICENSE;
