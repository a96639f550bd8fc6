// LPM trie with IPv6 addresses and a label before them: prefixes that end in any byte, replace, delete, full.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOKUP, UPDATE, DELETE };

/* The address is value (first eight bytes) and seen (last eight bytes), more0 the prefix length, key the label: 20 bytes, 160 bits. */
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0100000000000000 more0=160
// packet: UPDATE key=1 value=0xb80d0120 seen=0 more0=64 more1=64
// packet: UPDATE key=1 value=0xb80d0120 seen=0 more0=96 more1=96
// packet: UPDATE key=1 value=0xb80d0120 seen=0x0100000000000000 more0=160 more1=160
// packet: UPDATE key=1 value=0xb80d0120 seen=0x0100000000000000 more0=161 more1=161
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0100000000000000 more0=160
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0200000000000000 more0=160
// packet: LOOKUP key=1 value=0x1b80d0120 seen=0 more0=160
// packet: LOOKUP key=1 value=0xb80d0121 seen=0 more0=160
// packet: LOOKUP key=2 value=0xb80d0120 seen=0x0100000000000000 more0=160
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0100000000000000 more0=159
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0100000000000000 more0=95
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0100000000000000 more0=161
// packet: UPDATE key=1 value=0xb80d0120 seen=0x0100000000000000 more0=159 more1=159
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0000000000000000 more0=160
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0100000000000000 more0=160
// packet: UPDATE key=1 value=0xb80d0120 seen=0x0200000000000000 more0=159 more1=158 flags=EXIST
// packet: UPDATE key=1 value=0xb80d0120 seen=0x0000000000000000 more0=159 more1=157 flags=EXIST
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0000000000000000 more0=160
// packet: UPDATE key=1 value=0xb80d0120 seen=0xff00000000000000 more0=152 more1=152
// packet: UPDATE key=7 value=0 seen=0 more0=7 more1=7
// packet: LOOKUP key=6 value=0 seen=0 more0=160
// packet: UPDATE key=8 value=0 seen=0 more0=32 more1=32
// packet: UPDATE key=1 value=0xb80d0120 seen=0 more0=64 more1=65
// packet: LOOKUP key=1 value=0xffffffffb80d0120 seen=0 more0=160
// packet: DELETE key=1 value=0xb80d0120 seen=0 more0=96
// packet: DELETE key=1 value=0xb80d0120 seen=0 more0=96
// packet: LOOKUP key=1 value=0xb80d0120 seen=0x0000000001000000 more0=160
// packet: UPDATE key=8 value=0 seen=0 more0=32 more1=33 flags=NOEXIST
// packet: LOOKUP key=8 value=0 seen=5 more0=160
struct key {
	__u32 length;
	__u32 label;
	__u8 address[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 6);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key);
	__type(value, __u32);
} routes SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct key key;
	__u32 *hop, value;

	if (outside(r, ctx))
		return XDP_DROP;
	key.length = r->more[0];
	key.label = r->key;
	__builtin_memcpy(key.address, &r->value, 8);
	__builtin_memcpy(key.address + 8, &r->seen, 8);
	switch (r->op) {
	case UPDATE:
		value = r->more[1];
		r->result = UPDATE_ELEM(&routes, &key, &value, r->flags);
		return XDP_PASS;
	case DELETE:
		r->result = bpf_map_delete_elem(&routes, &key);
		return XDP_PASS;
	}
	hop = bpf_map_lookup_elem(&routes, &key);
	r->result = hop ? *hop : -1;
	return XDP_PASS;
}

LICENSE;
