// bpf_map_update_elem with flags that are only known when the program runs, valid or not, for each kind of map.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { IN_ARRAY, IN_PERCPU_ARRAY, IN_HASH, IN_PERCPU_HASH, IN_LRU_HASH, IN_LPM };

// for i in 0..10: IN_ARRAY key=1 value=i+1 flags=i
// packet: IN_ARRAY key=1 value=20 flags=0x100000000
// packet: IN_ARRAY key=1 value=20 flags=-1
// for i in 0..10: IN_ARRAY key=2 value=i+1 flags=i
// for i in 0..10: IN_PERCPU_ARRAY key=1 value=i+1 flags=i
// packet: IN_PERCPU_ARRAY key=1 value=20 flags=0x100000000
// packet: IN_PERCPU_ARRAY key=1 value=20 flags=-1
// for i in 0..10: IN_PERCPU_ARRAY key=2 value=i+1 flags=i
// for i in 0..10: IN_HASH key=1 value=i+1 flags=i
// for i in 2..10: IN_HASH key=2 value=i+1 flags=i
// packet: IN_HASH key=1 value=20 flags=0x100000000
// packet: IN_HASH key=1 value=20 flags=-1
// packet: IN_HASH key=2 value=20 flags=1
// for i in 0..10: IN_HASH key=3 value=i+1 flags=i
// for i in 0..10: IN_PERCPU_HASH key=1 value=i+1 flags=i
// for i in 2..10: IN_PERCPU_HASH key=2 value=i+1 flags=i
// packet: IN_PERCPU_HASH key=2 value=20 flags=1
// for i in 0..10: IN_PERCPU_HASH key=3 value=i+1 flags=i
// for i in 0..10: IN_LRU_HASH key=1 value=i+1 flags=i
// for i in 2..10: IN_LRU_HASH key=2 value=i+1 flags=i
// packet: IN_LRU_HASH key=2 value=20 flags=1
// for i in 0..10: IN_LPM key=1 value=i+1 flags=i
// for i in 2..10: IN_LPM key=2 value=i+1 flags=i
// packet: IN_LPM key=2 value=20 flags=1
// for i in 0..10: IN_LPM key=3 value=i+1 flags=i
struct prefix {
	__u32 length;
	__u32 bits;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} percpu_array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} percpu_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} lru_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64);
} lpm SEC(".maps");

/* One call for each: clang must not make one of them all. */
#define UPDATE(map, key)                                                                  \
	({                                                                                \
		r->result = bpf_map_update_elem(&map, key, &r->value, r->flags);          \
		asm volatile("# " #map);                                                  \
	})

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct prefix prefix = { .length = 32 };

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case IN_ARRAY:
		UPDATE(array, &r->key);
		return XDP_PASS;
	case IN_PERCPU_ARRAY:
		UPDATE(percpu_array, &r->key);
		return XDP_PASS;
	case IN_HASH:
		UPDATE(hash, &r->key);
		return XDP_PASS;
	case IN_PERCPU_HASH:
		UPDATE(percpu_hash, &r->key);
		return XDP_PASS;
	case IN_LRU_HASH:
		UPDATE(lru_hash, &r->key);
		return XDP_PASS;
	case IN_LPM:
		prefix.bits = r->key;
		UPDATE(lpm, &prefix);
		return XDP_PASS;
	}
	return XDP_ABORTED;
}

LICENSE;
