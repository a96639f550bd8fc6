// Array: indices, flags, values that are written in place.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOKUP, UPDATE, DELETE, ADD };

// packet: LOOKUP key=0
// packet: UPDATE key=0 value=0x1122334455667788 flags=ANY
// packet: LOOKUP key=0
// packet: UPDATE key=4 value=5 flags=EXIST
// packet: LOOKUP key=4
// packet: UPDATE key=4 value=6 flags=NOEXIST
// packet: UPDATE key=5 value=7
// packet: UPDATE key=5 value=7 flags=NOEXIST
// packet: UPDATE key=0xffffffff value=7
// packet: LOOKUP key=5
// packet: LOOKUP key=0x80000000
// packet: LOOKUP key=0xffffffff
// packet: DELETE key=0
// packet: DELETE key=5
// packet: ADD key=2 value=40
// packet: ADD key=2 value=2
// packet: ADD key=2 value=-42
// packet: ADD key=9 value=1
// run: --map-entries numbers=1
// packet: UPDATE key=0 value=1
// packet: UPDATE key=1 value=1
// packet: LOOKUP key=0
// packet: LOOKUP key=1
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 *number;

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case UPDATE:
		r->result = UPDATE_ELEM(&numbers, &r->key, &r->value, r->flags);
		return XDP_PASS;
	case DELETE:
		r->result = bpf_map_delete_elem(&numbers, &r->key);
		return XDP_PASS;
	}
	number = bpf_map_lookup_elem(&numbers, &r->key);
	r->result = number != 0;
	if (!number)
		return XDP_TX;
	if (r->op == ADD)
		*number += r->value;
	r->seen = *number;
	return XDP_PASS;
}

LICENSE;
