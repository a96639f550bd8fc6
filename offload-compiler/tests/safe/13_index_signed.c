// accept: two signed comparisons bound the index on both sides
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
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct table *table;
	__u32 key = 0;
	long index;

	if (data + 14 > data_end)
		return XDP_DROP;
	table = bpf_map_lookup_elem(&tables, &key);
	if (!table)
		return XDP_DROP;
	index = (long)*(__u8 *)(data + 13) - 100;
	asm volatile("if %[i] s< 0 goto +2;"
		     "if %[i] s> 7 goto +1;"
		     "goto +1;"
		     "%[i] = 0"
		     : [i]"+r"(index));
	return table->cell[index] ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
