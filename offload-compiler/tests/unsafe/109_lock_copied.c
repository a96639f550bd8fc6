// expect: accessed directly at 28
// kernel: cannot be accessed directly by load/store
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A helper reads the value with its lock. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct slot {
	__u32 count;
	struct bpf_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct slot *slot = bpf_map_lookup_elem(&slots, &key);

	if (!slot)
		return XDP_PASS;
	return bpf_map_update_elem(&slots, &key, slot, 0) & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
