// Sign-extending loads and moves, byte swaps: all widths, from packet, stack and map value.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
// clang: -mcpu=v4
#include "feature.h"

enum { LOAD_PACKET, LOAD_STACK, LOAD_VALUE, MOVE_64, MOVE_32, SWAP, ENDIAN };

// for i in 0..7: op=i value=0x8182838485868788
// for i in 0..7: op=i value=0x7172737475767778
// for i in 0..7: op=i value=0
// for i in 0..7: op=i value=-1
// for i in 0..7: op=i value=0x80
// for i in 0..7: op=i value=0x8000
// for i in 0..7: op=i value=0x80000000
// for i in 0..7: op=i value=0xffff7fff7f7f7f7f
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

#define UNARY(instruction)                                                                      \
	({                                                                                      \
		__u64 out;                                                                      \
		asm volatile("r1 = %1; " instruction "; %0 = r1" : "=r"(out) : "r"(a) : "r1");  \
		out;                                                                            \
	})

#define LOAD(width, place, from)                                                                \
	({                                                                                      \
		__s64 out;                                                                      \
		asm volatile("%0 = *(" width " *)(%1 + " #place ")" : "=r"(out) : "r"(from) : "memory"); \
		out;                                                                            \
	})

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 a, stack = 0, *value;
	__u32 zero = 0;

	if (outside(r, ctx))
		return XDP_DROP;
	a = r->value;
	switch (r->op) {
	case LOAD_PACKET:
		r->result = LOAD("s8", 8, r);
		r->seen = LOAD("s16", 8, r);
		r->more[0] = LOAD("s32", 8, r);
		r->more[1] = LOAD("s16", 9, r);
		r->more[2] = LOAD("s32", 11, r);
		return XDP_PASS;
	case LOAD_STACK:
		stack = a;
		barrier_var(stack);
		*(volatile __u64 *)&stack = a;
		r->result = LOAD("s8", 0, &stack);
		r->seen = LOAD("s16", 0, &stack);
		r->more[0] = LOAD("s32", 0, &stack);
		r->more[1] = LOAD("s8", 7, &stack);
		r->more[2] = LOAD("s32", 4, &stack);
		return XDP_PASS;
	case LOAD_VALUE:
		value = bpf_map_lookup_elem(&numbers, &zero);
		if (!value)
			return XDP_ABORTED;
		*value = a;
		r->result = LOAD("s8", 0, value);
		r->seen = LOAD("s16", 0, value);
		r->more[0] = LOAD("s32", 0, value);
		r->more[1] = LOAD("s8", 6, value);
		r->more[2] = LOAD("s32", 4, value);
		return XDP_PASS;
	case MOVE_64:
		r->result = UNARY("r1 = (s8)r1");
		r->seen = UNARY("r1 = (s16)r1");
		r->more[0] = UNARY("r1 = (s32)r1");
		return XDP_PASS;
	case MOVE_32:
		r->result = UNARY("w1 = (s8)w1");
		r->seen = UNARY("w1 = (s16)w1");
		r->more[0] = UNARY("w1 = w1");
		return XDP_PASS;
	case SWAP:
		r->result = UNARY("r1 = bswap16 r1");
		r->seen = UNARY("r1 = bswap32 r1");
		r->more[0] = UNARY("r1 = bswap64 r1");
		return XDP_PASS;
	case ENDIAN:
		r->result = UNARY("r1 = be16 r1");
		r->seen = UNARY("r1 = be32 r1");
		r->more[0] = UNARY("r1 = be64 r1");
		r->more[1] = UNARY("r1 = le16 r1");
		r->more[2] = UNARY("r1 = le32 r1");
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
