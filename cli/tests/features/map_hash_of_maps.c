// Hash of maps: static inner arrays; misses outside, indices inside.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOKUP, UPDATE, DELETE, ADD };

/* more0 is the key in the outer map. */
// run: --maps map_hash_of_maps.json
// packet: LOOKUP more0=5 key=0
// packet: UPDATE more0=5 key=0 value=10
// packet: UPDATE more0=5 key=1 value=11 flags=EXIST
// packet: UPDATE more0=5 key=1 value=12 flags=NOEXIST
// packet: UPDATE more0=5 key=2 value=13
// packet: UPDATE more0=500000 key=0 value=20
// packet: LOOKUP more0=5 key=0
// packet: LOOKUP more0=5 key=1
// packet: LOOKUP more0=5 key=2
// packet: LOOKUP more0=500000 key=0
// packet: LOOKUP more0=4294967295 key=0
// packet: UPDATE more0=4294967295 key=1 value=30
// packet: LOOKUP more0=6 key=0
// packet: LOOKUP more0=0 key=0
// packet: DELETE more0=5 key=0
// packet: DELETE more0=6 key=0
// packet: ADD more0=5 key=0 value=-1
// packet: ADD more0=500000 key=1 value=-1
// run:
// packet: LOOKUP more0=5 key=0
// packet: UPDATE more0=5 key=0 value=10
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} red SEC(".maps"), green SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 5);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u32 color;
	__u64 *value;
	void *inner;

	if (outside(r, ctx))
		return XDP_DROP;
	color = r->more[0];
	inner = bpf_map_lookup_elem(&outer, &color);
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
	r->seen = *value;
	return XDP_PASS;
}

LICENSE;
