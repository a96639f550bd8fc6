// bpf_spin_lock: values with a lock, in an array and a hash; updates keep the lock's place.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { ADD, TAKE, UPDATE, ADD_ROW, UPDATE_ROW, EARLY_OUT };

struct bucket {
	__u64 tokens;
	struct bpf_spin_lock lock;
	__u32 drops;
};

// packet: ADD key=1 value=5
// packet: UPDATE key=1 value=10
// packet: UPDATE key=1 value=11 flags=NOEXIST
// packet: UPDATE key=1 value=12 flags=EXIST
// packet: ADD key=1 value=5
// packet: TAKE key=1 value=15
// packet: TAKE key=1 value=15
// packet: EARLY_OUT key=1 value=3
// packet: EARLY_OUT key=1 value=100
// packet: UPDATE key=2 value=1
// packet: UPDATE key=3 value=1
// packet: UPDATE key=4 value=1
// packet: ADD_ROW key=0 value=5
// packet: ADD_ROW key=1 value=6
// packet: ADD_ROW key=2 value=7
// packet: UPDATE_ROW key=0 value=20
// packet: UPDATE_ROW key=0 value=22 flags=NOEXIST
// packet: ADD_ROW key=0 value=1
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

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct bucket fresh = {}, *bucket;
	__u64 want;
	int verdict = XDP_PASS;

	if (outside(r, ctx))
		return XDP_DROP;
	want = r->value;
	fresh.tokens = want;
	fresh.drops = 1;
	switch (r->op) {
	case UPDATE:
		r->result = UPDATE_ELEM(&buckets, &r->key, &fresh, r->flags);
		return XDP_PASS;
	case UPDATE_ROW:
		r->result = UPDATE_ELEM(&rows, &r->key, &fresh, r->flags);
		return XDP_PASS;
	case ADD_ROW:
		bucket = bpf_map_lookup_elem(&rows, &r->key);
		if (!bucket)
			return XDP_TX;
		bpf_spin_lock(&bucket->lock);
		bucket->tokens += want;
		want = bucket->tokens;
		bpf_spin_unlock(&bucket->lock);
		APART("row");
		r->seen = want;
		return XDP_PASS;
	}
	bucket = bpf_map_lookup_elem(&buckets, &r->key);
	if (!bucket)
		return XDP_TX;
	if (r->op == EARLY_OUT) {
		bpf_spin_lock(&bucket->lock);
		if (bucket->tokens < want) {
			bpf_spin_unlock(&bucket->lock);
			r->result = -1;
			return XDP_DROP;
		}
		bucket->tokens *= 2;
		bpf_spin_unlock(&bucket->lock);
		return XDP_PASS;
	}
	bpf_spin_lock(&bucket->lock);
	if (r->op != TAKE) {
		bucket->tokens += want;
	} else if (bucket->tokens >= want) {
		bucket->tokens -= want;
	} else {
		bucket->drops++;
		verdict = XDP_DROP;
	}
	want = bucket->tokens;
	bpf_spin_unlock(&bucket->lock);
	r->seen = want;
	return verdict;
}

LICENSE;
