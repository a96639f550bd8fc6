// expect: map value access out of bounds at 30
// kernel: invalid access to map value
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The ninth turn of the loop reads the ninth of 8 cells. */
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
	__u32 key = 0, sum = 0;

	table = bpf_map_lookup_elem(&tables, &key);
	if (!table)
		return XDP_DROP;
#pragma clang loop unroll(disable)
	for (int i = 0; i <= 8; i++)
		sum += *(volatile __u32 *)&table->cell[i];
	return sum ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
