// accept: a mask bounds the index into a map value
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

	if (data + 14 > data_end)
		return XDP_DROP;
	table = bpf_map_lookup_elem(&tables, &key);
	if (!table)
		return XDP_DROP;
	table->cell[*(__u8 *)(data + 13) & 7]++;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
