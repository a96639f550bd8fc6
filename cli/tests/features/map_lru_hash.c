// LRU hash below its capacity: flags and deletes as in a hash.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOKUP, UPDATE, DELETE, ADD };

// packet: LOOKUP key=1
// packet: DELETE key=1
// packet: UPDATE key=1 value=11 flags=EXIST
// packet: UPDATE key=1 value=11 flags=NOEXIST
// packet: UPDATE key=1 value=12 flags=NOEXIST
// packet: UPDATE key=1 value=13 flags=EXIST
// packet: UPDATE key=1 value=14 flags=ANY
// packet: ADD key=1 value=6
// packet: ADD key=2 value=6
// for i in 100..110: UPDATE key=i value=i*i flags=NOEXIST
// for i in 100..111: LOOKUP key=i
// packet: DELETE key=104
// packet: DELETE key=104
// packet: LOOKUP key=104
// packet: UPDATE key=104 value=4 flags=EXIST
// packet: UPDATE key=104 value=4
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
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
