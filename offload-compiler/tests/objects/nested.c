// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Program arrays and maps of maps with initial elements, as libbpf fills them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int xdp_first(struct xdp_md *ctx);
int xdp_third(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 5);
	__uint(key_size, 4);
	__array(values, int(struct xdp_md *));
} stages SEC(".maps") = {
	.values = { [0] = &xdp_first, [3] = &xdp_third },
};

struct ring {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 8);
};

struct ring ring_a SEC(".maps"), ring_b SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__type(key, __u32);
	__uint(max_entries, 4);
	__array(values, struct ring);
} rings SEC(".maps") = {
	.values = { &ring_b, &ring_a, [3] = &ring_b },
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 3);
	__uint(map_flags, BPF_F_INNER_MAP);
} loose SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__type(key, __u32);
	__uint(max_entries, 2);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__type(key, __u32);
		__type(value, __u32);
		__uint(max_entries, 1);
		__uint(map_flags, BPF_F_INNER_MAP);
	});
} by_name SEC(".maps") = {
	.values = { [1] = (void *)&loose },
};

SEC("xdp")
int xdp_entry(struct xdp_md *ctx)
{
	__u32 index = 1;
	void *ring = bpf_map_lookup_elem(&rings, &index), *value;

	value = ring ? bpf_map_lookup_elem(ring, &index) : 0;
	if (value)
		bpf_tail_call(ctx, &stages, 3);
	bpf_tail_call(ctx, &stages, 0);
	return bpf_map_lookup_elem(&by_name, &index) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int xdp_first(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int xdp_third(struct xdp_md *ctx)
{
	return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
