// accept: a 32-bit shift clears the upper half of a 64-bit number and bounds it
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

struct table {
	__u32 cell[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct table);
} tables SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0, low;
	__u64 *number = bpf_map_lookup_elem(&numbers, &key);
	struct table *table = bpf_map_lookup_elem(&tables, &key);

	if (!number || !table)
		return XDP_DROP;
	low = *(volatile __u64 *)number;
	asm volatile("%0 >>= 29" : "+w"(low));
	return table->cell[low] ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
