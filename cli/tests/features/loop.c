// bpf_loop: no call, many calls, an early end, too many, with context on the caller's stack.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { SUM, EARLY, NO_CONTEXT, MAP };

struct state {
	__u64 sum;
	__u32 calls;
	__u32 stop;
};

/* value is the number of calls, more0 when to stop. */
// packet: SUM value=0
// packet: SUM value=1
// packet: SUM value=10
// packet: SUM value=1000
// packet: SUM value=0x800001
// packet: SUM value=0xffffffff
// packet: SUM value=0x100000003
// packet: EARLY value=10 more0=0
// packet: EARLY value=10 more0=3
// packet: EARLY value=10 more0=9
// packet: EARLY value=10 more0=10
// packet: NO_CONTEXT value=5
// packet: MAP value=5
// packet: MAP value=9
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

__u32 counted;

static long add(__u32 index, void *context)
{
	struct state *state = context;

	state->sum += index * 3;
	state->calls++;
	return 0;
}

static long stop(__u32 index, void *context)
{
	struct state *state = context;

	state->calls++;
	return index == state->stop;
}

static long count(__u32 index, void *context)
{
	counted += index + 1;
	return 0;
}

static long insert(__u32 index, void *context)
{
	struct state *state = context;
	__u64 value = index * index;

	if (bpf_map_update_elem(&calls, &index, &value, BPF_NOEXIST))
		return 1;
	state->calls++;
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct state state = {};

	if (outside(r, ctx))
		return XDP_DROP;
	state.stop = r->more[0];
	switch (r->op) {
	case SUM:
		r->result = bpf_loop(r->value, add, &state, 0);
		APART("1");
		break;
	case EARLY:
		r->result = bpf_loop(r->value, stop, &state, 0);
		APART("2");
		break;
	case NO_CONTEXT:
		r->result = bpf_loop(r->value, count, (void *)0, 0);
		APART("5");
		break;
	case MAP:
		r->result = bpf_loop(r->value, insert, &state, 0);
		APART("6");
		break;
	default:
		return XDP_DROP;
	}
	r->seen = state.sum;
	r->more[1] = state.calls;
	return XDP_PASS;
}

LICENSE;
