// Atomic operations on map values: 32 and 64 bits, with and without fetch, exchange, compare and exchange.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { ADD, ADD_32, OR, OR_32, AND, AND_32, XOR, XOR_32, FETCH_ADD, FETCH_ADD_32, FETCH_OR,
	FETCH_OR_32, FETCH_AND, FETCH_AND_32, FETCH_XOR, FETCH_XOR_32, XCHG, XCHG_32, CMPXCHG, CMPXCHG_32 };

/* The old value is value, the operand flags, r0 of cmpxchg more0. r2 is in result afterwards, r0 in seen, the new value in more1. */
// for i in 0..20: op=i value=0x1122334455667788 flags=0xfedcba98fedcba98 more0=0x1122334455667788
// for i in 0..20: op=i value=0xffffffffffffffff flags=1 more0=0xffffffff
// for i in 0..20: op=i value=0x80000000 flags=0x80000000 more0=0xffffffff80000000
// for i in 0..20: op=i value=0x5555555500000000 flags=0xaaaaaaaaaaaaaaaa more0=5
// for i in 0..20: op=i
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");


/* All registers whole, so that what an instruction leaves in their high halves is seen. */
#define ATOMIC(instruction)                                                                \
	asm volatile("r1 = %[at]; r2 = %[operand]; r0 = %[expected]; " instruction            \
		     "; %[operand] = r2; %[expected] = r0"                                      \
		     : [operand] "+r"(operand), [expected] "+r"(expected)                        \
		     : [at] "r"(at)                                                              \
		     : "r0", "r1", "r2", "memory")

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 operand, expected, *at;
	__u32 zero = 0;

	if (outside(r, ctx))
		return XDP_DROP;
	at = bpf_map_lookup_elem(&numbers, &zero);
	if (!at)
		return XDP_ABORTED;
	*at = r->value;
	operand = r->flags;
	expected = r->more[0];
	switch (r->op) {
	case ADD:
		ATOMIC("lock *(u64 *)(r1 + 0) += r2");
		break;
	case ADD_32:
		ATOMIC("lock *(u32 *)(r1 + 0) += w2");
		break;
	case OR:
		ATOMIC("lock *(u64 *)(r1 + 0) |= r2");
		break;
	case OR_32:
		ATOMIC("lock *(u32 *)(r1 + 0) |= w2");
		break;
	case AND:
		ATOMIC("lock *(u64 *)(r1 + 0) &= r2");
		break;
	case AND_32:
		ATOMIC("lock *(u32 *)(r1 + 0) &= w2");
		break;
	case XOR:
		ATOMIC("lock *(u64 *)(r1 + 0) ^= r2");
		break;
	case XOR_32:
		ATOMIC("lock *(u32 *)(r1 + 0) ^= w2");
		break;
	case FETCH_ADD:
		ATOMIC("r2 = atomic_fetch_add((u64 *)(r1 + 0), r2)");
		break;
	case FETCH_ADD_32:
		ATOMIC("w2 = atomic_fetch_add((u32 *)(r1 + 0), w2)");
		break;
	case FETCH_OR:
		ATOMIC("r2 = atomic_fetch_or((u64 *)(r1 + 0), r2)");
		break;
	case FETCH_OR_32:
		ATOMIC("w2 = atomic_fetch_or((u32 *)(r1 + 0), w2)");
		break;
	case FETCH_AND:
		ATOMIC("r2 = atomic_fetch_and((u64 *)(r1 + 0), r2)");
		break;
	case FETCH_AND_32:
		ATOMIC("w2 = atomic_fetch_and((u32 *)(r1 + 0), w2)");
		break;
	case FETCH_XOR:
		ATOMIC("r2 = atomic_fetch_xor((u64 *)(r1 + 0), r2)");
		break;
	case FETCH_XOR_32:
		ATOMIC("w2 = atomic_fetch_xor((u32 *)(r1 + 0), w2)");
		break;
	case XCHG:
		ATOMIC("r2 = xchg_64(r1 + 0, r2)");
		break;
	case XCHG_32:
		ATOMIC("w2 = xchg32_32(r1 + 0, w2)");
		break;
	case CMPXCHG:
		ATOMIC("r0 = cmpxchg_64(r1 + 0, r0, r2)");
		break;
	case CMPXCHG_32:
		ATOMIC("w0 = cmpxchg32_32(r1 + 0, w0, w2)");
		break;
	default:
		return XDP_DROP;
	}
	r->result = operand;
	r->seen = expected;
	r->more[1] = *at;
	return XDP_PASS;
}

LICENSE;
