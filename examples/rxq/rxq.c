// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Counts packets by interface and by receive queue. What happens to them is
 * set before loading (default_action) or while the program runs (override).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

#define MAX_QUEUES 16
#define MAX_IFINDEX 32

struct counters {
	__u64 processed;
	__u64 bytes;
	__u64 issue; /* packets that found no counter of their own */
};

const volatile __u32 default_action = XDP_TX;
/* Touch the frame's bytes, as a program that looks into packets would. */
const volatile __u32 read_packet = 1;

/* Packets of one interface meet another fate; ifindex 0 is none. */
struct {
	__u32 ifindex;
	__u32 action;
	__u64 hits;
} override = { .ifindex = 3, .action = XDP_DROP };

/* By receive queue, the last one for queues that are too many. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_QUEUES + 1);
	__type(key, __u32);
	__type(value, struct counters);
} queues SEC(".maps");

/* By ifindex. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_IFINDEX);
	__type(key, __u32);
	__type(value, struct counters);
} interfaces SEC(".maps");

/* By EtherType, the first 16 that were seen. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} ether_types SEC(".maps");

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
}

static __always_inline void count_type(__u32 type)
{
	__u64 one = 1, *packets = bpf_map_lookup_elem(&ether_types, &type);

	if (packets)
		*packets += 1;
	else
		bpf_map_update_elem(&ether_types, &type, &one, BPF_NOEXIST);
}

SEC("xdp")
int xdp_rxq(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 ifindex = ctx->ingress_ifindex;
	__u32 queue = ctx->rx_queue_index;
	__u32 action = default_action;
	struct ethhdr *eth = data;
	struct counters *counters;

	if ((void *)(eth + 1) > data_end)
		return XDP_ABORTED;

	counters = bpf_map_lookup_elem(&interfaces, &ifindex);
	if (!counters)
		return XDP_ABORTED;
	counters->processed++;
	counters->bytes += data_end - data;
	if (queue >= MAX_QUEUES) {
		queue = MAX_QUEUES;
		counters->issue++;
	}

	counters = bpf_map_lookup_elem(&queues, &queue);
	if (!counters)
		return XDP_ABORTED;
	counters->processed++;
	counters->bytes += data_end - data;

	if (read_packet)
		count_type(eth->h_proto);

	if (override.ifindex && override.ifindex == ifindex) {
		action = override.action;
		override.hits++;
	}
	if (action == XDP_TX)
		swap_macs(eth);
	return action;
}

char _license[] SEC("license") = "Dual MIT/GPL";
