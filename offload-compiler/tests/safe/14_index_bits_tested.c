// accept: a bit test (JSET) rules out all large indices
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
	asm goto("if %0 & 0xfffffff8 goto %l1" : : "r"(index) : : large);
	return table->cell[index] ? XDP_TX : XDP_PASS;
large:
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
