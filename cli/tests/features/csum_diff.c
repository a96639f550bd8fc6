// bpf_csum_diff: with both blocks, one or none, sizes up to 512, seeds, memory of packet, stack and map values.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { REMOVE_20, ADD_20, BOTH_20, ADD_6, REMOVE_6, NONE, VALUE_512, STACK_512, MIXED, FOLD };

/* flags is the seed. */
// packet: REMOVE_20 seen=0x1122334455667788 more0=0x99aabbccddeeff00 more1=-1
// packet: REMOVE_20 seen=0x1122334455667788 more0=0x99aabbccddeeff00 more1=-1 flags=0xffff
// packet: REMOVE_20 fill=255 flags=0
// packet: REMOVE_20
// packet: ADD_20 seen=0x1122334455667788 more0=0x99aabbccddeeff00 more1=-1
// packet: ADD_20 seen=0x1122334455667788 more0=0x99aabbccddeeff00 more1=-1 flags=0xffffffff
// packet: ADD_20 fill=255 flags=0xfffffffe
// packet: BOTH_20 fill=ramp flags=5
// packet: BOTH_20 fill=255 flags=0
// packet: BOTH_20 fill=255 flags=-1
// packet: ADD_6 fill=ramp flags=0
// packet: ADD_6 fill=255 flags=0xffffffff
// packet: REMOVE_6 fill=ramp flags=0
// packet: REMOVE_6 fill=255 flags=1
// packet: NONE flags=0
// packet: NONE flags=0x12345678
// packet: NONE flags=0xffffffff
// packet: NONE flags=0x1ffff0000
// packet: VALUE_512 value=0xffffffffffffffff flags=0
// packet: VALUE_512 value=0x0102030405060708 flags=0xfffffffe
// packet: STACK_512 value=0x99aabbccddeeff00 flags=1
// packet: MIXED value=0x0102030405060708 more1=3 flags=2
// packet: FOLD value=0x0102030405060708 more1=0xffff
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[64]);
} block SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u32 zero = 0;
	__u64 *value, stack[50] = {};

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case REMOVE_20:
		r->result = bpf_csum_diff((void *)&r->seen, 20, 0, 0, r->flags);
		APART("1");
		return XDP_PASS;
	case ADD_20:
		r->result = bpf_csum_diff(0, 0, (void *)&r->seen, 20, r->flags);
		APART("2");
		return XDP_PASS;
	case BOTH_20:
		r->result = bpf_csum_diff((void *)r, 4, (void *)&r->seen, 20, r->flags);
		APART("3");
		return XDP_PASS;
	case ADD_6:
		r->result = bpf_csum_diff(0, 0, (void *)r + 33, 6, r->flags);
		APART("4");
		return XDP_PASS;
	case REMOVE_6:
		r->result = bpf_csum_diff((void *)r + 33, 6, 0, 0, r->flags);
		APART("5");
		return XDP_PASS;
	case NONE:
		r->result = bpf_csum_diff(0, 0, 0, 0, r->flags);
		APART("6");
		return XDP_PASS;
	case VALUE_512:
		value = bpf_map_lookup_elem(&block, &zero);
		if (!value)
			return XDP_ABORTED;
		for (int i = 0; i < 64; i++)
			value[i] = r->value + i;
		r->result = bpf_csum_diff(0, 0, (void *)value, 512, r->flags);
		APART("7");
		r->seen = bpf_csum_diff((void *)value, 512, (void *)(value + 1), 504, r->flags);
		APART("8");
		return XDP_PASS;
	case STACK_512:
		for (int i = 0; i < 50; i++)
			stack[i] = r->value * (i + 1);
		r->result = bpf_csum_diff((void *)stack, 400, 0, 0, r->flags);
		APART("9");
		return XDP_PASS;
	case MIXED:
		value = bpf_map_lookup_elem(&block, &zero);
		if (!value)
			return XDP_ABORTED;
		value[0] = r->value;
		stack[0] = r->more[1];
		r->result = bpf_csum_diff((void *)value, 8, (void *)stack, 8, r->flags);
		APART("10");
		r->seen = bpf_csum_diff((void *)stack, 8, (void *)r, 64, r->result);
		APART("11");
		return XDP_PASS;
	case FOLD:
		/* As programs do it: the sum of one call is the seed of the next. */
		r->result = bpf_csum_diff((void *)&r->value, 8, (void *)&r->more[1], 8, ~r->more[1] & 0xffff);
		APART("12");
		r->seen = bpf_csum_diff(0, 0, (void *)&r->value, 8, r->result);
		APART("13");
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
