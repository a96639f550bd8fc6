// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Swaps the MAC addresses and sends the packet back out of the port that it
 * came from. Multicast and broadcast go to the host. Counts packets and bytes.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

struct traffic {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct traffic);
} sent SEC(".maps");

SEC("xdp")
int xdp_swap(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	unsigned char mac[ETH_ALEN];
	struct traffic *traffic;
	__u32 key = 0;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	if (eth->h_dest[0] & 1)
		return XDP_PASS;

	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);

	traffic = bpf_map_lookup_elem(&sent, &key);
	if (!traffic)
		return XDP_ABORTED;
	traffic->packets++;
	traffic->bytes += data_end - data;
	return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
