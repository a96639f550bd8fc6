// Division and modulo by constants, signed and unsigned, 32 and 64 bits.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
// clang: -mcpu=v4
#include "feature.h"

enum { BY_3, BY_MINUS_3, BY_1, BY_MINUS_1, BY_LARGEST, BY_SMALLEST, BY_16, UNSIGNED_BY_10, UNSIGNED_BY_MINUS_7 };

/* Quotients of 64 and 32 bits in result and seen, remainders in more0 and more1. */
// for i in 0..9: op=i value=100
// for i in 0..9: op=i value=-100
// for i in 0..9: op=i value=0
// for i in 0..9: op=i value=0x8000000000000000
// for i in 0..9: op=i value=0x80000000
// for i in 0..9: op=i value=0xffffffff80000000
// for i in 0..9: op=i value=0x7fffffffffffffff
// for i in 0..9: op=i value=0xfedcba9876543210
// for i in 0..9: op=i value=0xffffffff00000007
#define QUOTIENTS(divide, modulo, by)                                                            \
	({                                                                                       \
		asm volatile("r1 = %1; r1 " divide #by "; %0 = r1" : "=r"(out) : "r"(a) : "r1"); \
		r->result = out;                                                                 \
		asm volatile("r1 = %1; w1 " divide #by "; %0 = r1" : "=r"(out) : "r"(a) : "r1"); \
		r->seen = out;                                                                   \
		asm volatile("r1 = %1; r1 " modulo #by "; %0 = r1" : "=r"(out) : "r"(a) : "r1"); \
		r->more[0] = out;                                                                \
		asm volatile("r1 = %1; w1 " modulo #by "; %0 = r1" : "=r"(out) : "r"(a) : "r1"); \
		r->more[1] = out;                                                                \
		return XDP_PASS;                                                                 \
	})

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 a, out;

	if (outside(r, ctx))
		return XDP_DROP;
	a = r->value;
	switch (r->op) {
	case BY_3:
		QUOTIENTS("s/=", "s%%=", 3);
	case BY_MINUS_3:
		QUOTIENTS("s/=", "s%%=", -3);
	case BY_1:
		QUOTIENTS("s/=", "s%%=", 1);
	case BY_MINUS_1:
		QUOTIENTS("s/=", "s%%=", -1);
	case BY_LARGEST:
		QUOTIENTS("s/=", "s%%=", 2147483647);
	case BY_SMALLEST:
		QUOTIENTS("s/=", "s%%=", -2147483648);
	case BY_16:
		QUOTIENTS("s/=", "s%%=", 16);
	case UNSIGNED_BY_10:
		QUOTIENTS("/=", "%%=", 10);
	case UNSIGNED_BY_MINUS_7:
		QUOTIENTS("/=", "%%=", -7);
	}
	return XDP_DROP;
}

LICENSE;
