// accept: a bounded number keeps its bounds on the stack, in 8 and in 4 bytes
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
	__u64 wide;
	__u32 half;

	index &= 7;
	asm volatile("*(u64 *)(r10 - 16) = %[i];"
		     "*(u32 *)(r10 - 24) = %[i];"
		     "%[w] = *(u64 *)(r10 - 16);"
		     "%[h] = *(u32 *)(r10 - 24)"
		     : [w]"=&r"(wide), [h]"=&r"(half) : [i]"r"(index) : "memory");
	return table->cell[wide] == table->cell[half] ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
