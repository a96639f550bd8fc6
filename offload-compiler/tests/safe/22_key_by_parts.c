// accept: a key of 8 bytes is written with stores of 1, 2 and 4 bytes, and read by the lookup
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

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
	struct { __u8 kind, zero; __u16 type; __u32 queue; } key;
	__u64 *value, one = 1;

	if (data + 14 > data_end)
		return XDP_DROP;
	key.kind = *(__u8 *)data;
	key.zero = 0;
	key.type = *(__u16 *)(data + 12);
	key.queue = ctx->rx_queue_index;
	value = bpf_map_lookup_elem(&seen, &key);
	if (value)
		__sync_fetch_and_add(value, 1);
	else
		bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
