// expect: map value access out of bounds at 34
// kernel: invalid access to map value
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Both paths look alike where they meet, but one of them brings a bad index. */
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
	index = 0;
	if (ctx->ingress_ifindex == 77)
		index = 64;
	asm volatile("" : "+r"(index));
	key = 1;
	bpf_map_lookup_elem(&tables, &key);
	return table->cell[index];
}

char _license[] SEC("license") = "Dual MIT/GPL";
