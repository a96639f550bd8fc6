// Per-CPU array: indices, flags, values in place; only the copy of CPU 0 changes.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOKUP, UPDATE, DELETE, ADD };

struct counter {
	__u64 packets;
	__u32 bytes;
};

// run: --maps map_percpu_array.json
// packet: LOOKUP key=0
// packet: LOOKUP key=2
// packet: UPDATE key=0 value=0x1122334455667788 more0=9
// packet: UPDATE key=2 value=5 flags=EXIST
// packet: UPDATE key=2 value=6 flags=NOEXIST
// packet: UPDATE key=3 value=7
// packet: UPDATE key=3 value=7 flags=NOEXIST
// packet: UPDATE key=0xffffffff value=7
// packet: LOOKUP key=3
// packet: LOOKUP key=0xffffffff
// packet: DELETE key=0
// packet: DELETE key=3
// packet: ADD key=1 value=40
// packet: ADD key=1 value=-40
// packet: ADD key=3 value=1
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct counter value = {}, *counter;

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case UPDATE:
		value.packets = r->value;
		value.bytes = r->more[0];
		r->result = UPDATE_ELEM(&counters, &r->key, &value, r->flags);
		return XDP_PASS;
	case DELETE:
		r->result = bpf_map_delete_elem(&counters, &r->key);
		return XDP_PASS;
	}
	counter = bpf_map_lookup_elem(&counters, &r->key);
	r->result = counter != 0;
	if (!counter)
		return XDP_TX;
	if (r->op == ADD) {
		counter->packets += r->value;
		counter->bytes += 1;
	}
	r->seen = counter->packets;
	r->more[0] = counter->bytes;
	return XDP_PASS;
}

LICENSE;
