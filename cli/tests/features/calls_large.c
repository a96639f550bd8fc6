// A function so large, with so many calls, that it cannot stand inlined in the instruction store. It looks up, counts, and writes to its
// caller's stack.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { ALL, SOME };

// packet: ALL value=1 flags=2 more0=3
// packet: ALL value=0xffffffffffffffff flags=0x8000000000000000 more0=9
// for i in 0..4: SOME value=i*1000 flags=i more0=i
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct state {
	__u64 last;
	__u32 rounds;
};

#define STEP(n)                       \
	a += b ^ n;                   \
	b = b << (n & 31) | b >> 9;   \
	c ^= a * 31;                  \
	if (c & n)                    \
		a -= c

/* Some hundred instructions. */
static __noinline __u64 large(__u64 a, __u64 b, __u64 c, struct state *s)
{
	__u32 key = a & 3;
	__u64 *count;

	s->last = a;
	s->rounds++;
	barrier();
	STEP(1); STEP(2); STEP(3); STEP(4); STEP(5); STEP(6); STEP(7); STEP(8);
	STEP(9); STEP(10); STEP(11); STEP(12); STEP(13); STEP(14); STEP(15); STEP(16);
	STEP(17); STEP(18); STEP(19); STEP(20); STEP(21); STEP(22); STEP(23); STEP(24);
	STEP(25); STEP(26); STEP(27); STEP(28); STEP(29); STEP(30); STEP(31); STEP(32);
	count = bpf_map_lookup_elem(&counts, &key);
	if (count)
		*count += a;
	return a ^ b ^ c;
}

#define TEN(n)                                                                               \
	sum += large(sum, n, 1, &s); sum += large(n, sum, 2, &s); sum ^= large(n, 3, sum, &s);   \
	sum += large(sum, n, 4, &s); sum += large(n, sum, 5, &s); sum ^= large(n, 6, b, &s);     \
	sum += large(sum, n, 7, &s); sum += large(n, sum, 8, &s); sum ^= large(n, 9, c, &s);     \
	sum += large(a, b, sum, &s)

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct state s = {};
	__u64 a, b, c, sum;

	if (outside(r, ctx))
		return XDP_DROP;
	a = r->value;
	b = r->flags;
	c = r->more[0];
	sum = a;
	TEN(1);
	if (r->op == ALL) {
		TEN(100); TEN(200); TEN(300); TEN(400); TEN(500);
		TEN(600); TEN(700); TEN(800); TEN(900);
	}
	r->result = sum;
	r->seen = s.rounds;
	r->more[1] = s.last;
	return XDP_TX;
}

LICENSE;
