// expect: null at 26
// kernel: pointer arithmetic on map_value_or_null prohibited
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Arithmetic before the comparison with NULL. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct table {
	__u32 cell[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u64);
	__type(value, struct table);
} cells SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u64 key = 0;
	struct table *table = bpf_map_lookup_elem(&cells, &key);
	__u32 *cell = (void *)table;

	asm volatile("%0 += 8" : "+r"(cell));
	if (!cell)
		return XDP_DROP;
	return *cell;
}

char _license[] SEC("license") = "Dual MIT/GPL";
