// Local functions: packet and map value as arguments and results, five arguments, global functions, eight frames.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { FIVE, DEEP, GLOBAL, PACKET, VALUE };

// packet: FIVE key=1 value=2 flags=3 more0=4 more1=5
// packet: DEEP value=1
// packet: DEEP value=0x8000000000000000
// packet: GLOBAL value=3 flags=4
// packet: GLOBAL value=4 flags=3
// packet: PACKET value=7
// packet: VALUE key=0 value=7
// packet: VALUE key=0 value=8
// packet: VALUE key=1 value=8
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

static __noinline __u64 five(__u64 a, __u64 b, __u64 c, __u64 d, __u64 e)
{
	return a + b * 10 + c * 100 + d * 1000 + e * 10000;
}

#define LEVEL(n, below)                               \
	static __noinline __u64 level##n(__u64 value) \
	{                                             \
		volatile __u64 own = value + n;       \
		__u64 deeper = below(value * 3);      \
		return deeper ^ own;                  \
	}

static __noinline __u64 level7(__u64 value)
{
	volatile __u64 own = value;

	return own + 1;
}
LEVEL(6, level7)
LEVEL(5, level6)
LEVEL(4, level5)
LEVEL(3, level4)
LEVEL(2, level3)
LEVEL(1, level2)

/* Checked by the kernel's verifier for all arguments, apart from its callers. */
__noinline int larger(__u64 a, __u64 b)
{
	return a > b ? 1 : 2;
}

static __noinline void stamp(struct request *r, __u64 value)
{
	r->result = value;
	r->seen = r->value + value;
}

static __noinline __u64 *find(__u32 key)
{
	return bpf_map_lookup_elem(&numbers, &key);
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 *value;

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case FIVE:
		r->result = five(r->key, r->value, r->flags, r->more[0], r->more[1]);
		return XDP_PASS;
	case DEEP:
		r->result = level1(r->value);
		return XDP_PASS;
	case GLOBAL:
		return larger(r->value, r->flags);
	case PACKET:
		stamp(r, 1000);
		return XDP_TX;
	case VALUE:
		value = find(r->key);
		if (!value)
			return XDP_ABORTED;
		r->seen = *value;
		*value = r->value;
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
