// bpf_map_update_elem with constant flags that do not exist: the error comes before all others, nothing changes.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { VALID, THREE, LOCK, EIGHT, HIGH };

/* Bit 0 of more0 selects the array. */
// packet: THREE key=1 value=1
// packet: VALID key=1 value=2
// packet: THREE key=1 value=3
// packet: LOCK key=1 value=3
// packet: LOCK key=2 value=3
// packet: EIGHT key=1 value=3
// packet: HIGH key=1 value=3
// packet: VALID key=2 value=4
// packet: VALID key=3 value=4
// packet: THREE key=3 value=3
// packet: HIGH key=3 value=3
// packet: THREE more0=1 key=1 value=1
// packet: VALID more0=1 key=1 value=2
// packet: THREE more0=1 key=1 value=3
// packet: LOCK more0=1 key=1 value=3
// packet: LOCK more0=1 key=2 value=3
// packet: EIGHT more0=1 key=1 value=3
// packet: HIGH more0=1 key=1 value=3
// packet: HIGH more0=1 key=2 value=3
// packet: VALID more0=1 key=2 value=3
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

/* One call for each: clang must not make one of them all. */
#define CASE(map, flags)                                                                  \
	({                                                                                \
		r->result = bpf_map_update_elem(&map, &r->key, &r->value, flags);         \
		asm volatile("# %0" ::"i"(flags));                                        \
	})

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op | (r->more[0] & 1) << 8) {
	case VALID:
		CASE(hash, 0);
		break;
	case THREE:
		CASE(hash, 3);
		break;
	case LOCK:
		CASE(hash, BPF_F_LOCK);
		break;
	case EIGHT:
		CASE(hash, 8);
		break;
	case HIGH:
		CASE(hash, 1ULL << 32);
		break;
	case VALID | 1 << 8:
		CASE(array, 0);
		break;
	case THREE | 1 << 8:
		CASE(array, 3);
		break;
	case LOCK | 1 << 8:
		CASE(array, BPF_F_LOCK);
		break;
	case EIGHT | 1 << 8:
		CASE(array, 8);
		break;
	case HIGH | 1 << 8:
		CASE(array, 1ULL << 32);
		break;
	default:
		return XDP_ABORTED;
	}
	return XDP_PASS;
}

LICENSE;
