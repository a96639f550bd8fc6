// LPM trie with IPv4 addresses: longest match, replace, delete, full, lengths beyond the key's.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOKUP, UPDATE, DELETE };

/* key is the address as it stands in a packet (little-endian number: 0x0100000a is 10.0.0.1), more0 the prefix length. */
// run: --maps map_lpm_v4.json
// packet: LOOKUP key=0x0100000a more0=32
// packet: LOOKUP key=0x01010a0a more0=32
// packet: LOOKUP key=0x01010a0a more0=8
// packet: LOOKUP key=0x01010a0a more0=7
// packet: LOOKUP key=0x01010a0a more0=0
// packet: LOOKUP key=0x01010a0b more0=32
// packet: LOOKUP key=0x01010a0a more0=33
// packet: LOOKUP key=0x01010a0a more0=0xffffffff
// packet: DELETE key=0x0000000a more0=9
// packet: DELETE key=0x0000000b more0=8
// packet: DELETE key=0x0000000a more0=33
// packet: UPDATE key=0x0000000a more0=33 value=1
// packet: UPDATE key=0x0000000a more0=0xffffffff value=1
// packet: UPDATE key=0x0000000a more0=8 value=81 flags=NOEXIST
// packet: UPDATE key=0x0000000a more0=8 value=82 flags=EXIST
// packet: LOOKUP key=0x0100000a more0=32
// packet: UPDATE key=0x0000000a more0=10 value=9 flags=EXIST
// packet: UPDATE key=0x0304050a more0=32 value=32 flags=NOEXIST
// packet: UPDATE key=0x00000000 more0=0 value=1000
// packet: LOOKUP key=0x04030201 more0=32
// packet: LOOKUP key=0x04030201 more0=0
// packet: LOOKUP key=0x0304050a more0=32
// packet: LOOKUP key=0x0204050a more0=32
// packet: UPDATE key=0x0204050a more0=31 value=31
// packet: UPDATE key=0x0204050a more0=30 value=30
// packet: UPDATE key=0x0204050a more0=24 value=24 flags=NOEXIST
// packet: UPDATE key=0x0204050a more0=24 value=25 flags=EXIST
// packet: LOOKUP key=0x0304050a more0=32
// packet: LOOKUP key=0x0204050a more0=32
// packet: LOOKUP key=0x0004050a more0=32
// packet: LOOKUP key=0x8004050a more0=32
// packet: LOOKUP key=0x0004050a more0=23
// packet: DELETE key=0x0204050a more0=31
// packet: LOOKUP key=0x0204050a more0=32
// packet: DELETE key=0x0304050a more0=32
// packet: LOOKUP key=0x0304050a more0=32
// packet: DELETE key=0x00000000 more0=0
// packet: LOOKUP key=0x04030201 more0=32
// packet: DELETE key=0x0000000a more0=8
// packet: LOOKUP key=0x0100000a more0=32
// for i in 0..6: UPDATE key=i+256 more0=32 value=i
// packet: UPDATE key=300 more0=16 value=1
// packet: UPDATE key=257 more0=32 value=99 flags=EXIST
// packet: DELETE key=257 more0=32
// packet: UPDATE key=0xff more0=1 value=1
// packet: UPDATE key=0x80 more0=1 value=2 flags=NOEXIST
// packet: LOOKUP key=0x80 more0=1
// packet: LOOKUP key=0x7f more0=32
struct key {
	__u32 length;
	__u32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 8);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct key);
	__type(value, __u64);
} routes SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct key key;
	__u64 *hop;

	if (outside(r, ctx))
		return XDP_DROP;
	key.length = r->more[0];
	key.address = r->key;
	switch (r->op) {
	case UPDATE:
		r->result = UPDATE_ELEM(&routes, &key, &r->value, r->flags);
		return XDP_PASS;
	case DELETE:
		r->result = bpf_map_delete_elem(&routes, &key);
		return XDP_PASS;
	}
	hop = bpf_map_lookup_elem(&routes, &key);
	r->result = hop != 0;
	if (!hop)
		return XDP_TX;
	r->seen = *hop;
	*hop += 0x10000;
	return XDP_PASS;
}

LICENSE;
