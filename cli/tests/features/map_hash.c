// Hash: flags, full, deletes, keys of a struct's bytes.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOKUP, UPDATE, DELETE, ADD };

// packet: LOOKUP key=1
// packet: DELETE key=1
// packet: UPDATE key=1 value=11 flags=EXIST
// packet: UPDATE key=1 value=11 flags=NOEXIST
// packet: LOOKUP key=1
// packet: UPDATE key=1 value=12 flags=NOEXIST
// packet: UPDATE key=1 value=13 flags=EXIST
// packet: UPDATE key=1 value=14 flags=ANY
// packet: ADD key=1 value=6
// packet: ADD key=2 value=6
// packet: UPDATE key=0 value=1
// packet: UPDATE key=0xffffffff value=2
// for i in 100..104: UPDATE key=i value=i*i flags=NOEXIST
// for i in 100..104: LOOKUP key=i
// packet: UPDATE key=101 value=0
// packet: UPDATE key=101 value=9 flags=EXIST
// packet: UPDATE key=104 value=9 flags=EXIST
// packet: DELETE key=104
// packet: DELETE key=101
// packet: DELETE key=101
// packet: LOOKUP key=101
// packet: UPDATE key=104 value=10
// packet: UPDATE key=105 value=10
// for i in 100..106: DELETE key=i
// packet: UPDATE key=105 value=10
// run: --map-entries flows=1
// packet: UPDATE key=5 value=1
// packet: UPDATE key=6 value=1
// packet: UPDATE key=6 value=1 flags=EXIST
// packet: UPDATE key=5 value=2
// packet: DELETE key=5
// packet: UPDATE key=6 value=1 flags=NOEXIST
// packet: LOOKUP key=5
// packet: LOOKUP key=6
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 6);
	__type(key, __u32);
	__type(value, __u64);
} flows SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 *packets;

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case UPDATE:
		r->result = UPDATE_ELEM(&flows, &r->key, &r->value, r->flags);
		return XDP_PASS;
	case DELETE:
		r->result = bpf_map_delete_elem(&flows, &r->key);
		return XDP_PASS;
	}
	packets = bpf_map_lookup_elem(&flows, &r->key);
	r->result = packets != 0;
	if (!packets)
		return XDP_TX;
	if (r->op == ADD)
		*packets += r->value;
	r->seen = *packets;
	return XDP_PASS;
}

LICENSE;
