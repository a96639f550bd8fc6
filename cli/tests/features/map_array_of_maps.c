// Array of maps: static inner hashes; a miss outside, and all operations inside; the inner map also by its own name.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOKUP, UPDATE, DELETE, ADD, UPDATE_DIRECT, LOOKUP_DIRECT, SAME };

/* more0 is the index in the outer map. */
// packet: LOOKUP more0=0 key=1
// packet: UPDATE more0=0 key=1 value=10 flags=NOEXIST
// packet: UPDATE more0=0 key=1 value=10 flags=NOEXIST
// packet: UPDATE more0=0 key=2 value=20 flags=EXIST
// packet: UPDATE more0=0 key=2 value=20
// packet: UPDATE more0=0 key=3 value=30
// packet: UPDATE more0=0 key=4 value=40
// packet: LOOKUP more0=0 key=2
// packet: LOOKUP more0=3 key=2
// packet: LOOKUP more0=1 key=2
// packet: UPDATE more0=1 key=2 value=22
// packet: UPDATE more0=2 key=2 value=22
// packet: LOOKUP more0=4 key=2
// packet: LOOKUP more0=0xffffffff key=2
// packet: ADD more0=3 key=2 value=1
// packet: LOOKUP more0=0 key=2
// packet: UPDATE_DIRECT key=2 value=50
// packet: LOOKUP more0=0 key=2
// packet: LOOKUP_DIRECT key=2
// packet: ADD more0=0 key=2 value=5
// packet: LOOKUP_DIRECT key=2
// packet: SAME more0=0 key=2 value=7
// packet: SAME more0=1 key=2 value=7
// packet: DELETE more0=0 key=2
// packet: DELETE more0=3 key=2
// packet: DELETE more0=2 key=2
// packet: LOOKUP_DIRECT key=2
// run: --maps map_array_of_maps.json
// packet: LOOKUP more0=0 key=2
// packet: UPDATE more0=2 key=9 value=90
// packet: LOOKUP more0=1 key=9
struct inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { [0] = &first, [1] = &second, [3] = &first } };

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u32 index;
	__u64 *value, *direct;
	void *inner;

	if (outside(r, ctx))
		return XDP_DROP;
	if (r->op == UPDATE_DIRECT) {
		r->result = UPDATE_ELEM(&first, &r->key, &r->value, r->flags);
		return XDP_PASS;
	}
	if (r->op == LOOKUP_DIRECT) {
		value = bpf_map_lookup_elem(&first, &r->key);
		r->seen = value ? *value : 0;
		return value ? XDP_PASS : XDP_TX;
	}
	index = r->more[0];
	inner = bpf_map_lookup_elem(&outer, &index);
	if (!inner) {
		r->result = -1;
		return XDP_DROP;
	}
	switch (r->op) {
	case UPDATE:
		r->result = UPDATE_ELEM(inner, &r->key, &r->value, r->flags);
		return XDP_PASS;
	case DELETE:
		r->result = bpf_map_delete_elem(inner, &r->key);
		return XDP_PASS;
	}
	value = bpf_map_lookup_elem(inner, &r->key);
	if (!value)
		return XDP_TX;
	if (r->op == ADD)
		*value += r->value;
	if (r->op == SAME) {
		/* Two ways to what may be one value: each must see the other's writes. */
		direct = bpf_map_lookup_elem(&first, &r->key);
		if (!direct)
			return XDP_ABORTED;
		*value = r->value;
		r->more[1] = *direct;
		*direct += 1;
		r->more[2] = *value;
		return XDP_PASS;
	}
	r->seen = *value;
	return XDP_PASS;
}

LICENSE;
