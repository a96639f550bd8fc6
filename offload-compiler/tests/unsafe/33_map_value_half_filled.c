// expect: map value at 43
// kernel: unbounded min value
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Half of a spilled number is filled and compared, the whole of it is used. */
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
	__u32 key = 0, low;

	table = bpf_map_lookup_elem(&tables, &key);
	number = bpf_map_lookup_elem(&numbers, &key);
	if (!table || !number)
		return XDP_DROP;
	asm volatile("*(u64 *)(r10 - 16) = %[all];"
		     "%[low] = *(u32 *)(r10 - 16);"
		     "%[index] = *(u64 *)(r10 - 16)"
		     : [low]"=&r"(low), [index]"=&r"(index) : [all]"r"(*number) : "memory");
	if (low >= 8)
		return XDP_DROP;
	return *((__u8 *)table + index);
}

char _license[] SEC("license") = "Dual MIT/GPL";
