// accept: the copy of an index is compared, the index itself is used
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

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
	struct table *table;
	__u32 key = 0, index = ctx->rx_queue_index;

	table = bpf_map_lookup_elem(&tables, &key);
	if (!table)
		return XDP_DROP;
	__u64 copy, wide = index;

	asm volatile("%0 = %1" : "=&r"(copy) : "r"(wide));
	asm goto("if %0 > 7 goto %l1" : : "r"(copy) : : large);
	return table->cell[wide] ? XDP_TX : XDP_PASS;
large:
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
