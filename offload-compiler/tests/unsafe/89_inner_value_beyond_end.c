// expect: map value access out of bounds at 32
// kernel: invalid access to map value
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The values of the maps in the map have 8 bytes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct ring {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	void *ring = bpf_map_lookup_elem(&rings, &key);
	__u64 *value;

	if (!ring)
		return XDP_PASS;
	value = bpf_map_lookup_elem(ring, &key);
	return value ? value[1] & 1 : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
