// expect: map value at 30
// kernel: makes map_value pointer be out of bounds
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Widening a signed byte makes the index negative. */
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
	signed char index;
	__u32 key = 0;

	table = bpf_map_lookup_elem(&tables, &key);
	if (!table)
		return XDP_DROP;
	index = ctx->rx_queue_index & 0x9f;
	return *((__u8 *)table + index);
}

char _license[] SEC("license") = "Dual MIT/GPL";
