// Inner maps of another size than the definition's: hashes may hold more or fewer entries, arrays where a flag allows it.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { UPDATE, LOOKUP, UPDATE_ARRAY, LOOKUP_ARRAY };

/* more0 is the index in the outer map: 0 holds one entry, 1 four. */
// for i in 0..3: UPDATE more0=0 key=i value=i+10
// for i in 0..6: UPDATE more0=1 key=i value=i+20
// for i in 0..6: LOOKUP more0=1 key=i
// packet: LOOKUP more0=0 key=0
// packet: LOOKUP more0=0 key=1
// for i in 0..6: UPDATE_ARRAY more0=1 key=i value=i+30
// for i in 0..6: LOOKUP_ARRAY more0=1 key=i
// packet: UPDATE_ARRAY more0=0 key=0 value=40
// packet: UPDATE_ARRAY more0=0 key=1 value=41
// packet: LOOKUP_ARRAY more0=0 key=0
// packet: LOOKUP_ARRAY more0=0 key=1
struct hash {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} one SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} four SEC(".maps");

struct row {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} one_row SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u64);
} five_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct hash);
} hashes SEC(".maps") = { .values = { (void *)&one, (void *)&four } };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct row);
} rows SEC(".maps") = { .values = { (void *)&one_row, (void *)&five_rows } };

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u32 index;
	__u64 *value;
	void *inner;

	if (outside(r, ctx))
		return XDP_DROP;
	index = r->more[0];
	switch (r->op) {
	case UPDATE:
		inner = bpf_map_lookup_elem(&hashes, &index);
		if (!inner)
			return XDP_ABORTED;
		r->result = bpf_map_update_elem(inner, &r->key, &r->value, BPF_ANY);
		APART("update");
		return XDP_PASS;
	case LOOKUP:
		inner = bpf_map_lookup_elem(&hashes, &index);
		if (!inner)
			return XDP_ABORTED;
		value = bpf_map_lookup_elem(inner, &r->key);
		if (!value)
			return XDP_TX;
		r->seen = *value;
		APART("lookup");
		return XDP_PASS;
	case UPDATE_ARRAY:
		inner = bpf_map_lookup_elem(&rows, &index);
		if (!inner)
			return XDP_ABORTED;
		r->result = bpf_map_update_elem(inner, &r->key, &r->value, BPF_ANY);
		APART("update of an array");
		return XDP_PASS;
	case LOOKUP_ARRAY:
		inner = bpf_map_lookup_elem(&rows, &index);
		if (!inner)
			return XDP_ABORTED;
		value = bpf_map_lookup_elem(inner, &r->key);
		if (!value)
			return XDP_TX;
		r->seen = *value;
		APART("lookup in an array");
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
