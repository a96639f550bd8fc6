// expect: whose values have none at 23
// kernel: has no valid bpf_spin_lock
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The values of this map have no lock. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} words SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *word = bpf_map_lookup_elem(&words, &key);

	if (!word)
		return XDP_PASS;
	bpf_spin_lock((void *)word);
	bpf_spin_unlock((void *)word);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
