// bpf_csum_diff: with sizes that are only known when the program runs, multiples of 4 and others, blocks in the packet and on the stack.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { REMOVE, ADD, BOTH, STACK };

/* key is the size, more0 another one, flags the seed. */
// for i in 0..4: REMOVE key=i*4 fill=ramp flags=0
// for i in 0..4: ADD key=i*4 fill=ramp flags=0
// for i in 0..4: BOTH key=i*4 more0=8 fill=ramp flags=0
// packet: ADD key=64 fill=255 flags=0xffffffff
// packet: ADD key=64 fill=255 flags=1
// packet: REMOVE key=64 fill=255 flags=0xffffffff
// packet: REMOVE key=64 fill=ramp flags=0xffff0000
// packet: ADD key=4 flags=0
// packet: REMOVE key=4 flags=0
// packet: ADD key=0 flags=77
// packet: REMOVE key=0 flags=77
// packet: BOTH key=0 more0=0 flags=77
// packet: BOTH key=16 more0=16 fill=ramp flags=0xabcd
// packet: BOTH key=64 more0=4 fill=ramp flags=0xffffffff
// packet: BOTH key=4 more0=64 fill=ramp flags=0x80000000
// for i in 1..8: ADD key=i fill=ramp flags=5
// for i in 1..8: REMOVE key=i fill=ramp flags=5
// packet: BOTH key=5 more0=7 fill=ramp flags=0
// packet: BOTH key=64 more0=63 fill=ramp flags=0
// packet: STACK value=0x1122334455667788 key=20 flags=0
// packet: STACK value=-1 key=8 flags=0xffff
// packet: STACK value=-1 key=7 flags=0
// packet: STACK value=5 key=0 flags=9
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u32 size, other;
	__u64 stack[3] = {};

	if (outside(r, ctx))
		return XDP_DROP;
	size = r->key;
	other = r->more[0];
	barrier_var(size);
	barrier_var(other);
	if (size > 64)
		return XDP_ABORTED;
	switch (r->op) {
	case REMOVE:
		r->result = bpf_csum_diff((void *)r, size, 0, 0, r->flags);
		APART("1");
		return XDP_PASS;
	case ADD:
		r->result = bpf_csum_diff(0, 0, (void *)r, size, r->flags);
		APART("2");
		return XDP_PASS;
	case BOTH:
		if (other > 64)
			return XDP_ABORTED;
		r->result = bpf_csum_diff((void *)r, size, (void *)r, other, r->flags);
		APART("3");
		return XDP_PASS;
	case STACK:
		stack[0] = r->value;
		stack[1] = r->value >> 7;
		stack[2] = ~r->value;
		if (size > 24)
			return XDP_ABORTED;
		r->result = bpf_csum_diff(0, 0, (void *)stack, size, r->flags);
		APART("4");
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
