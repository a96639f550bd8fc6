// expect: map value access out of bounds at 32
// kernel: min value is negative
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A signed index has an upper bound, but no lower one. */
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
	__u32 key = 0;
	int index;

	table = bpf_map_lookup_elem(&tables, &key);
	if (!table)
		return XDP_DROP;
	index = (int)ctx->rx_queue_index >> 24;
	if (index >= 32)
		return XDP_DROP;
	return *((__u8 *)table + index);
}

char _license[] SEC("license") = "Dual MIT/GPL";
