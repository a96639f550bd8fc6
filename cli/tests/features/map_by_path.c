// A call whose map depends on the path, as clang makes it of two calls that are alike.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LEFT, RIGHT, LOOK_LEFT, LOOK_RIGHT };

// packet: LEFT key=1 value=5
// packet: RIGHT key=1 value=6
// packet: LOOK_LEFT key=1
// packet: LOOK_RIGHT key=1
// packet: LOOK_RIGHT key=2
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} left SEC(".maps"), right SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 *value;
	void *map;

	if (outside(r, ctx))
		return XDP_DROP;
	map = r->op & 1 ? (void *)&right : (void *)&left;
	if (r->op < LOOK_LEFT) {
		r->result = bpf_map_update_elem(map, &r->key, &r->value, BPF_ANY);
		return XDP_PASS;
	}
	value = bpf_map_lookup_elem(map, &r->key);
	r->result = value ? *value : -1;
	return XDP_PASS;
}

LICENSE;
