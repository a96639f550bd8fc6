// expect: does not work on a map of kind at 27
// kernel: cannot pass map_type 12
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Programs cannot put maps into maps. */
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
	__u32 key = 0, value = 0;

	return bpf_map_update_elem(&rings, &key, &value, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
