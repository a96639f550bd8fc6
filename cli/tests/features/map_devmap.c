// Devmaps: bpf_redirect_map with hits, misses, the action in the flags, broadcast, flags that do not exist; lookups.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { LOOKUP, REDIRECT, LOOKUP_HASH, REDIRECT_HASH, REDIRECT_TWICE, OTHER_VERDICT, LOOKUP_WIDE };

// run: --maps map_devmap.json
// packet: REDIRECT key=0
// packet: REDIRECT key=2
// packet: REDIRECT key=1
// for i in 0..20: REDIRECT key=1 flags=i
// packet: REDIRECT key=0 flags=2
// packet: REDIRECT key=0 flags=8
// packet: REDIRECT key=1 flags=24
// packet: REDIRECT key=0 flags=16
// packet: REDIRECT key=0 flags=4
// packet: REDIRECT key=0 flags=32
// packet: REDIRECT key=0 flags=0x100000000
// packet: REDIRECT key=0 flags=-1
// packet: REDIRECT key=3 flags=1
// packet: REDIRECT key=4 flags=2
// packet: REDIRECT key=0xffffffff flags=3
// packet: REDIRECT_HASH key=7
// packet: REDIRECT_HASH key=0xffffffff
// packet: REDIRECT_HASH key=8
// for i in 0..5: REDIRECT_HASH key=8 flags=i
// packet: REDIRECT_HASH key=8 flags=8
// packet: REDIRECT_HASH key=8 flags=25
// packet: REDIRECT_HASH key=7 flags=64
// packet: LOOKUP key=0
// packet: LOOKUP key=1
// packet: LOOKUP key=2
// packet: LOOKUP key=3
// packet: LOOKUP key=4
// packet: LOOKUP key=0xffffffff
// packet: LOOKUP_HASH key=7
// packet: LOOKUP_HASH key=8
// packet: LOOKUP_HASH key=0xffffffff
// packet: LOOKUP_WIDE key=0
// packet: LOOKUP_WIDE key=1
// packet: REDIRECT_TWICE key=0
// packet: REDIRECT_TWICE key=1
// packet: OTHER_VERDICT key=0
// run:
// packet: REDIRECT key=0
// packet: REDIRECT key=0 flags=2
// packet: REDIRECT key=0 flags=8
// packet: REDIRECT_HASH key=0 flags=1
// packet: LOOKUP key=0
// packet: LOOKUP_HASH key=0
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u32);
} ports_by_number SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} wide_ports SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct bpf_devmap_val *wide;
	__u32 *ifindex;
	int verdict;

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case REDIRECT:
		verdict = bpf_redirect_map(&ports, r->key, r->flags);
		APART("redirect");
		return verdict;
	case REDIRECT_HASH:
		verdict = bpf_redirect_map(&ports_by_number, r->key, r->flags);
		APART("redirect by number");
		return verdict;
	case REDIRECT_TWICE:
		/* The second one misses: its action is what counts. */
		r->result = bpf_redirect_map(&ports, r->key, XDP_TX);
		verdict = bpf_redirect_map(&ports, 3, XDP_PASS);
		APART("twice");
		return verdict;
	case OTHER_VERDICT:
		r->result = bpf_redirect_map(&ports, r->key, 0);
		return XDP_TX;
	case LOOKUP_WIDE:
		wide = bpf_map_lookup_elem(&wide_ports, &r->key);
		r->result = wide != 0;
		if (wide)
			r->seen = wide->ifindex;
		APART("seen wide");
		return XDP_PASS;
	case LOOKUP_HASH:
		ifindex = bpf_map_lookup_elem(&ports_by_number, &r->key);
		APART("by number");
		r->result = ifindex != 0;
		if (ifindex)
			r->seen = *ifindex;
		APART("seen by number");
		return XDP_PASS;
	default:
		ifindex = bpf_map_lookup_elem(&ports, &r->key);
		APART("ports");
	}
	r->result = ifindex != 0;
	if (ifindex)
		r->seen = *ifindex;
	APART("seen");
	return XDP_PASS;
}

LICENSE;
