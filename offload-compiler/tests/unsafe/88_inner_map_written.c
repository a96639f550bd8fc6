// expect: write of the map itself at 29
// kernel: is supported
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A map in a map is a map, not its values. */
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

	if (ring)
		*(volatile __u8 *)ring = 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
