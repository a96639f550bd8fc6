// expect: map value at 41
// kernel: unbounded
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Only the low half of a 64-bit index is bounded. */
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
	struct table *table;
	__u64 *number, index;
	__u32 key = 0;

	table = bpf_map_lookup_elem(&tables, &key);
	number = bpf_map_lookup_elem(&numbers, &key);
	if (!table || !number)
		return XDP_DROP;
	index = *number;
	if ((__u32)index >= 8)
		return XDP_DROP;
	asm volatile("" : "+r"(index));
	return *((__u8 *)table + index);
}

char _license[] SEC("license") = "Dual MIT/GPL";
