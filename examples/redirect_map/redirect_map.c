// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * A patch panel. Frames go out of the port that their VLAN is wired to, else
 * out of the one that their port of entry is wired to, with the MAC addresses
 * swapped. Frames of ports that are not wired go to the host.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define VLAN_VID_MASK 0x0fff

struct vlan_hdr {
	__be16 tci;
	__be16 proto;
};

struct counters {
	__u64 packets;
	__u64 bytes;
};

/* By ifindex of the port of entry. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} wires SEC(".maps");

/* By VLAN. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} vlan_wires SEC(".maps");

/* By ifindex of the port of entry. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct counters);
} redirected SEC(".maps");

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
}

SEC("xdp")
int xdp_redirect_map(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 port = ctx->ingress_ifindex;
	struct counters *counters;
	struct ethhdr *eth = data;
	int action = XDP_PASS;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	/* Slow protocols, spanning tree and the like stay on their link. */
	if (eth->h_dest[0] == 0x01 && eth->h_dest[1] == 0x80)
		return XDP_PASS;

	if (eth->h_proto == bpf_htons(ETH_P_8021Q)) {
		struct vlan_hdr *vlan = (void *)(eth + 1);

		if ((void *)(vlan + 1) > data_end)
			return XDP_DROP;
		action = bpf_redirect_map(&vlan_wires, bpf_ntohs(vlan->tci) & VLAN_VID_MASK, XDP_PASS);
	}
	if (action != XDP_REDIRECT)
		action = bpf_redirect_map(&wires, port, XDP_PASS);
	if (action != XDP_REDIRECT)
		return action;

	swap_macs(eth);
	counters = bpf_map_lookup_elem(&redirected, &port);
	if (counters) {
		counters->packets++;
		counters->bytes += data_end - data;
	}
	return action;
}

char _license[] SEC("license") = "Dual MIT/GPL";
