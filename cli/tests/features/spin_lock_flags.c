// BPF_F_LOCK: an update in place under the lock of the value, with and without the other flags.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOCK, LOCK_NOEXIST, LOCK_EXIST, SEVEN, ROW_LOCK, ROW_LOCK_NOEXIST, ROW_LOCK_EXIST, WRITE_BEHIND };

struct bucket {
	__u64 tokens;
	struct bpf_spin_lock lock;
	__u32 drops;
};

// packet: LOCK_EXIST key=1 value=12
// packet: LOCK key=1 value=13
// packet: LOCK key=1 value=14
// packet: LOCK_NOEXIST key=1 value=15
// packet: LOCK_NOEXIST key=2 value=16
// packet: LOCK_EXIST key=1 value=17
// packet: SEVEN key=1 value=18
// packet: SEVEN key=4 value=18
// packet: LOCK key=3 value=19
// packet: LOCK key=4 value=20
// packet: WRITE_BEHIND key=1 value=21
// packet: ROW_LOCK key=0 value=22
// packet: ROW_LOCK_EXIST key=0 value=23
// packet: ROW_LOCK_NOEXIST key=0 value=24
// packet: ROW_LOCK key=2 value=25
// packet: ROW_LOCK_NOEXIST key=2 value=25
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct bucket);
} rows SEC(".maps");

/* One call for each: clang must not make one of them all. */
#define CASE(map, flags)                                                                  \
	({                                                                                \
		r->result = bpf_map_update_elem(&map, &r->key, &fresh, flags);            \
		asm volatile("# %0" ::"i"(flags));                                        \
	})

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct bucket fresh = {}, *bucket;

	if (outside(r, ctx))
		return XDP_DROP;
	fresh.tokens = r->value;
	fresh.drops = 1;
	switch (r->op) {
	case LOCK:
		CASE(buckets, BPF_F_LOCK);
		break;
	case LOCK_NOEXIST:
		CASE(buckets, BPF_F_LOCK | BPF_NOEXIST);
		break;
	case LOCK_EXIST:
		CASE(buckets, BPF_F_LOCK | BPF_EXIST);
		break;
	case SEVEN:
		CASE(buckets, 7);
		break;
	case ROW_LOCK:
		CASE(rows, BPF_F_LOCK);
		break;
	case ROW_LOCK_NOEXIST:
		CASE(rows, BPF_F_LOCK | BPF_NOEXIST);
		break;
	case ROW_LOCK_EXIST:
		CASE(rows, BPF_F_LOCK | BPF_EXIST);
		break;
	case WRITE_BEHIND:
		/* The element stays where it is: a pointer that was looked up before sees the new value. */
		bucket = bpf_map_lookup_elem(&buckets, &r->key);
		if (!bucket)
			return XDP_TX;
		CASE(buckets, BPF_F_LOCK | BPF_EXIST);
		r->seen = bucket->tokens;
		break;
	default:
		return XDP_ABORTED;
	}
	return XDP_PASS;
}

LICENSE;
