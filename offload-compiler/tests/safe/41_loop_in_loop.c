// accept: a callback loops itself, and its index is masked
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[16]);
} table SEC(".maps");

static long inner(__u64 index, void *context)
{
	__u32 key = 0, *sum = context;
	__u8 *bytes = bpf_map_lookup_elem(&table, &key);

	if (!bytes)
		return 1;
	bytes[index & 15] += 1;
	*sum += bytes[*sum & 15];
	return 0;
}

static long outer(__u64 index, void *context)
{
	bpf_loop(4, inner, context, 0);
	return index == 5;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 sum = 0;

	bpf_loop(8, outer, &sum, 0);
	return sum & 1 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
