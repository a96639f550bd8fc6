// Division and modulo by variables, signed and unsigned, 32 and 64 bits: zero, overflow, all signs.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
// clang: -mcpu=v4
#include "feature.h"

enum { UNSIGNED, SIGNED };

/* value by flags; quotients of 64 and 32 bits in result and seen, remainders in more0 and more1. */
// for i in 0..4: UNSIGNED value=100 flags=i
// for i in 0..4: SIGNED value=-100 flags=i
// for i in 0..2: op=i value=7 flags=0
// for i in 0..2: op=i value=0 flags=0
// for i in 0..2: op=i value=-1 flags=0
// for i in 0..2: op=i value=0 flags=5
// for i in 0..2: op=i value=7 flags=-2
// for i in 0..2: op=i value=-7 flags=2
// for i in 0..2: op=i value=-7 flags=-2
// for i in 0..2: op=i value=-1 flags=-1
// for i in 0..2: op=i value=0x8000000000000000 flags=-1
// for i in 0..2: op=i value=0x8000000000000000 flags=1
// for i in 0..2: op=i value=0x80000000 flags=-1
// for i in 0..2: op=i value=0x80000000 flags=0xffffffff
// for i in 0..2: op=i value=0xffffffff80000000 flags=0xffffffffffffffff
// for i in 0..2: op=i value=0x7fffffffffffffff flags=0x7fffffff
// for i in 0..2: op=i value=0x123456789abcdef0 flags=0x100000000
// for i in 0..2: op=i value=0x123456789abcdef0 flags=0xf00000003
// for i in 0..2: op=i value=0xfedcba9876543210 flags=1000000007
// for i in 0..2: op=i value=0xfedcba9876543210 flags=-1000000007
// for i in 0..2: op=i value=5 flags=0xfedcba9876543210
// for i in 0..2: op=i value=0xffffffffffffffff flags=0xfffffffffffffffe
// for i in 0..2: op=i value=0x8000000000000000 flags=0x8000000000000000
#define QUOTIENTS(divide, modulo)                                                                \
	({                                                                                       \
		asm volatile("r1 = %1; r2 = %2; r1 " divide " r2; %0 = r1"                       \
			     : "=r"(out) : "r"(a), "r"(b) : "r1", "r2");                         \
		r->result = out;                                                                 \
		asm volatile("r1 = %1; r2 = %2; w1 " divide " w2; %0 = r1"                       \
			     : "=r"(out) : "r"(a), "r"(b) : "r1", "r2");                         \
		r->seen = out;                                                                   \
		asm volatile("r1 = %1; r2 = %2; r1 " modulo " r2; %0 = r1"                       \
			     : "=r"(out) : "r"(a), "r"(b) : "r1", "r2");                         \
		r->more[0] = out;                                                                \
		asm volatile("r1 = %1; r2 = %2; w1 " modulo " w2; %0 = r1"                       \
			     : "=r"(out) : "r"(a), "r"(b) : "r1", "r2");                         \
		r->more[1] = out;                                                                \
	})

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 a, b, out;

	if (outside(r, ctx))
		return XDP_DROP;
	a = r->value;
	b = r->flags;
	if (r->op == SIGNED)
		QUOTIENTS("s/=", "s%%=");
	else
		QUOTIENTS("/=", "%%=");
	return XDP_PASS;
}

LICENSE;
