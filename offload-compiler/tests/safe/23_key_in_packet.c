// accept: helpers read their key from the packet and their value from another map value
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u64);
	__type(value, __u64);
} seen SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 first = 0;
	__u64 *number;

	if (data + 14 > data_end)
		return XDP_DROP;
	number = bpf_map_lookup_elem(&numbers, &first);
	if (!number)
		return XDP_ABORTED;
	if (bpf_map_lookup_elem(&seen, data + 6))
		return bpf_map_delete_elem(&seen, data + 6) ? XDP_ABORTED : XDP_TX;
	*number += 1;
	bpf_map_update_elem(&seen, data + 6, number, BPF_ANY);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
