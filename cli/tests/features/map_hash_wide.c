// Hash: key and value of many bytes, from packet, stack and another map's value; updates behind a pointer into the map.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { FROM_PACKET, FROM_STACK, FROM_MAP, FROM_ITSELF, DELETE, LOOKUP };

struct key {
	__u32 words[5];
};

struct value {
	__u32 words[7];
	__u8 odd[3];
};

// packet: FROM_PACKET key=1 more0=5 more1=6 more2=7
// packet: FROM_PACKET key=1 more0=8 more1=9 more2=10
// packet: FROM_STACK key=2 value=3 flags=NOEXIST
// packet: FROM_STACK key=2 value=3 flags=NOEXIST
// packet: FROM_STACK key=2 value=0xffffffffffffffff
// packet: LOOKUP key=2
// packet: LOOKUP key=3
// packet: FROM_MAP key=2 more0=77
// packet: FROM_MAP key=3
// packet: FROM_ITSELF key=2
// packet: FROM_ITSELF key=9
// packet: LOOKUP key=2
// packet: DELETE key=2
// packet: DELETE key=2
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10);
	__type(key, struct key);
	__type(value, struct value);
} wide SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, struct value);
} row SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct key key = {};
	struct value value = {}, *found;
	__u32 index;

	if (outside(r, ctx))
		return XDP_DROP;
	key.words[0] = r->key;
	key.words[4] = ~r->key;
	switch (r->op) {
	case FROM_PACKET:
		/* Key and value lie across each other in the packet, at places that are not aligned. */
		r->result = UPDATE_ELEM(&wide, (void *)r + 3, (void *)r + 31, r->flags);
		return XDP_PASS;
	case FROM_STACK:
		value.words[0] = r->value;
		value.words[3] = ~r->value;
		value.odd[2] = r->key;
		r->result = UPDATE_ELEM(&wide, &key, &value, r->flags);
		return XDP_PASS;
	case FROM_MAP:
		index = r->key;
		found = bpf_map_lookup_elem(&row, &index);
		if (!found)
			return XDP_TX;
		found->words[1] = r->more[0];
		r->result = UPDATE_ELEM(&wide, &key, found, r->flags);
		return XDP_PASS;
	case FROM_ITSELF:
		found = bpf_map_lookup_elem(&wide, &key);
		if (!found)
			return XDP_TX;
		key.words[1] = 1;
		r->result = UPDATE_ELEM(&wide, &key, found, r->flags);
		found->words[2] = 0xabcdef;
		return XDP_PASS;
	case DELETE:
		r->result = bpf_map_delete_elem(&wide, &key);
		return XDP_PASS;
	}
	found = bpf_map_lookup_elem(&wide, &key);
	if (!found)
		return XDP_TX;
	r->seen = found->words[0];
	r->more[0] = found->words[3];
	r->more[1] = found->odd[2];
	return XDP_PASS;
}

LICENSE;
