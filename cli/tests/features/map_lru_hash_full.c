// LRU hash at its capacity: an insertion never fails, what was inserted last is there, and there are never more entries than allowed.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { INSERT };

// capacity: flows
// for i in 0..64: INSERT key=i value=i*3+1 flags=NOEXIST
// for i in 64..200: INSERT key=i value=i*3+1
// for i in 190..200: INSERT key=i value=i*5
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32);
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
	r->result = UPDATE_ELEM(&flows, &r->key, &r->value, r->flags);
	packets = bpf_map_lookup_elem(&flows, &r->key);
	if (!packets)
		return XDP_ABORTED;
	r->seen = *packets;
	return XDP_PASS;
}

LICENSE;
