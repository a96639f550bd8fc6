// expect: OW0311 at 24
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Compares values of two maps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} small SEC(".maps"), large SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *a = bpf_map_lookup_elem(&small, &key);
	__u64 *b = bpf_map_lookup_elem(&large, &key);

	if (!a || !b)
		return XDP_DROP;
	return a == b ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
