// accept: values of a map in a map are looked up, updated and deleted
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct ring {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 key = 0;
	__u64 one = 1, *value;
	void *ring;

	if (data + 20 > end)
		return XDP_DROP;
	ring = bpf_map_lookup_elem(&rings, &key);
	if (!ring)
		return XDP_PASS;
	key = *(__u8 *)data;
	value = bpf_map_lookup_elem(ring, &key);
	if (value) {
		*value += 1;
		if (*value > 9)
			bpf_map_delete_elem(ring, &key);
		return XDP_TX;
	}
	bpf_map_update_elem(ring, &key, &one, BPF_ANY);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
