// More calls of local functions than are inlined: the functions stay functions.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { CHAIN, NESTED };

// packet: CHAIN value=1 flags=2
// packet: CHAIN value=0xfedcba9876543210 flags=0x0f1e2d3c4b5a6978
// packet: NESTED value=3 flags=4
// for i in 0..3: NESTED value=i*77 flags=i
static __noinline __u64 mix(__u64 a, __u64 b)
{
	a ^= b + 0x9e3779b9;
	a = a << 13 | a >> 51;
	if (a & 1)
		a += b;
	return a;
}

#define MIX4(h, n)           \
	h = mix(h, n);       \
	h = mix(h, flags);   \
	h = mix(h, h >> 7);  \
	h = mix(h ^ flags, n + 3)
#define MIX16(h, n)       \
	MIX4(h, n);       \
	MIX4(h, n * 3);   \
	MIX4(h, n + 100); \
	MIX4(h, n ^ 5)
#define MIX64(h, n)      \
	MIX16(h, n);     \
	MIX16(h, n + 1); \
	MIX16(h, n + 2); \
	MIX16(h, n + 3)

/* 128 calls, from three places. */
static __noinline __u64 round(__u64 h, __u64 flags)
{
	MIX64(h, 1);
	MIX64(h, 1000);
	return h;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 h, flags;

	if (outside(r, ctx))
		return XDP_DROP;
	h = r->value;
	flags = r->flags;
	switch (r->op) {
	case CHAIN:
		/* 256 calls. */
		MIX64(h, 7);
		MIX64(h, 17);
		MIX64(h, 27);
		MIX64(h, 37);
		break;
	case NESTED:
		h = round(h, flags);
		h = round(h, 5) + round(flags, h);
		break;
	default:
		return XDP_DROP;
	}
	r->result = h;
	return XDP_TX;
}

LICENSE;
