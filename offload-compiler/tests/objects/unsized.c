// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Maps whose size user space sets before the load. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
} events SEC(".maps");

struct definition {
	unsigned int type;
	unsigned int key_size;
	unsigned int value_size;
	unsigned int max_entries;
	unsigned int map_flags;
};

struct definition SEC("maps") old = { BPF_MAP_TYPE_ARRAY, 4, 4 };

SEC("xdp")
int xdp_flows(struct xdp_md *ctx)
{
	__u32 zero = 0;

	bpf_ringbuf_output(&events, &zero, 4, 0);
	return bpf_map_lookup_elem(&flows, &zero) && bpf_map_lookup_elem(&old, &zero) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int xdp_plain(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
