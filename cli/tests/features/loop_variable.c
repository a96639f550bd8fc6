// bpf_loop with flags and a callback that are only known when the program runs.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { FLAGS, CALLBACK, BOTH };

/* value is the number of calls. */
// packet: FLAGS value=3 flags=0
// packet: FLAGS value=3 flags=1
// packet: FLAGS value=0 flags=1
// packet: FLAGS value=0x800001 flags=0x100000000
// packet: CALLBACK value=5 key=0
// packet: CALLBACK value=5 key=1
// packet: FLAGS value=0x800001 flags=0
// packet: FLAGS value=0x100000002 flags=0
// packet: CALLBACK value=0x800001 key=1
// packet: CALLBACK value=0x100000002 key=0
// packet: BOTH value=4 key=0
// packet: BOTH value=4 key=1
// packet: BOTH value=4 key=2
// packet: BOTH value=4 key=3 flags=2
// packet: BOTH value=0 key=3 flags=0
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

static long late(__u32 index, void *context)
{
	struct state *state = context;

	state->sum += 1000 + index;
	return 0;
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
	case BOTH: {
		void *which = late;

		if (r->key == 0)
			which = add;
		else if (r->key == 1)
			which = early;
		r->result = bpf_loop(r->value, which, &state, r->flags);
		APART("both");
		break;
	}
	default:
		return XDP_DROP;
	}
	r->seen = state.sum;
	r->more[1] = state.calls;
	return XDP_PASS;
}

LICENSE;
