// Jumps with an offset of 32 bits, forward and backward.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
// clang: -mcpu=v4
#include "feature.h"

enum { FORWARD, BACKWARD };

// packet: FORWARD value=1
// packet: FORWARD value=0
// for i in 0..9: BACKWARD value=i
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 count, out = 0;

	if (outside(r, ctx))
		return XDP_DROP;
	count = r->value;
	if (r->op == FORWARD) {
		asm volatile("%0 = 1; if %1 == 0 goto 1f; gotol 2f; 1: %0 += 10; 2: %0 += 100"
			     : "+r"(out) : "r"(count));
	} else {
		asm volatile("1: if %0 > 6 goto 2f; %0 += 1; gotol 1b; 2:" : "+r"(count));
		out = count;
	}
	r->result = out;
	return XDP_PASS;
}

LICENSE;
