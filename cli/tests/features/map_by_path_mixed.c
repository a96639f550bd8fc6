// Maps that depend on the path, of other kinds and with other sizes of keys and values; values of two maps that come together; a map or NULL.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOK, UPDATE, DELETE, JOIN, MAYBE, FLAGS };

/* Bits 0 and 1 of more0 select the map. */
// packet: UPDATE more0=0 key=1 value=11
// packet: UPDATE more0=1 key=1 value=12
// packet: UPDATE more0=2 key=1 value=13
// packet: UPDATE more0=3 key=1 value=14
// packet: LOOK more0=0 key=1
// packet: LOOK more0=1 key=1
// packet: LOOK more0=2 key=1
// packet: LOOK more0=3 key=1
// packet: LOOK more0=0 key=2
// packet: LOOK more0=3 key=9
// packet: JOIN more0=0 key=1 value=5
// packet: JOIN more0=1 key=1 value=6
// packet: JOIN more0=1 key=3 value=6
// packet: MAYBE more0=0 key=1
// packet: MAYBE more0=1 key=1
// packet: FLAGS more0=0 key=1 value=3 flags=1
// packet: FLAGS more0=1 key=1 value=4 flags=2
// packet: FLAGS more0=2 key=1 value=5 flags=4
// packet: FLAGS more0=3 key=1 value=5 flags=1
// packet: FLAGS more0=3 key=1 value=6 flags=0x100000002
// packet: DELETE more0=0 key=1
// packet: DELETE more0=0 key=1
// packet: DELETE more0=1 key=1
// packet: DELETE more0=2 key=1
// packet: DELETE more0=3 key=1
struct wide {
	__u64 first;
	__u64 second;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, struct wide);
} lru SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct wide);
} array SEC(".maps");

static __always_inline void *chosen(__u64 which)
{
	switch (which & 3) {
	case 0:
		return &hash;
	case 1:
		return &lru;
	case 2:
		return &percpu;
	}
	return &array;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct wide fresh = {};
	__u64 key, *value;
	void *map;

	if (outside(r, ctx))
		return XDP_DROP;
	key = r->key;
	fresh.first = r->value;
	fresh.second = r->value + 100;
	switch (r->op) {
	case LOOK:
		map = chosen(r->more[0]);
		value = bpf_map_lookup_elem(map, &key);
		APART("look");
		r->result = value ? *value : -1;
		break;
	case UPDATE:
		map = chosen(r->more[0]);
		r->result = bpf_map_update_elem(map, &key, &fresh, BPF_ANY);
		APART("update");
		break;
	case DELETE:
		map = chosen(r->more[0]);
		r->result = bpf_map_delete_elem(map, &key);
		APART("delete");
		break;
	case JOIN:
		if (r->more[0] & 1) {
			value = bpf_map_lookup_elem(&lru, &key);
			APART("left");
		} else {
			value = bpf_map_lookup_elem(&hash, &key);
			APART("right");
		}
		if (!value)
			break;
		/* The values of two maps, read and written in one place. */
		r->seen = *value;
		*value += r->value;
		__sync_fetch_and_add(value, 1000);
		r->result = __sync_fetch_and_or(value, 1);
		break;
	case MAYBE:
		map = (void *)0;
		if (r->more[0] & 1) {
			map = &hash;
			barrier_var(map);
		}
		if (!map)
			return XDP_TX;
		value = bpf_map_lookup_elem(map, &key);
		r->result = value ? *value : -1;
		break;
	case FLAGS:
		map = chosen(r->more[0]);
		r->result = bpf_map_update_elem(map, &key, &fresh, r->flags);
		APART("flags");
		break;
	}
	return XDP_PASS;
}

LICENSE;
