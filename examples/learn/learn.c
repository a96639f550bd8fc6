// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Remembers which station (source MAC) was seen on which port and CPU. A
 * station that says goodbye (EtherType 0x88b5, for local experiments) is
 * forgotten. Packets go to the host; those of stations for which the table has
 * no room are dropped.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define ETH_P_GOODBYE 0x88b5

struct mac {
	__u8 addr[ETH_ALEN];
};

struct station {
	__u32 ifindex;
	__u32 cpu;
	__u64 packets;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct mac);
	__type(value, struct station);
} stations SEC(".maps");

SEC("xdp")
int xdp_learn(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct station *known;
	struct station new = {};
	struct mac mac;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	/* A group address is never a source. */
	if (eth->h_source[0] & 1)
		return XDP_ABORTED;
	__builtin_memcpy(mac.addr, eth->h_source, ETH_ALEN);

	if (eth->h_proto == bpf_htons(ETH_P_GOODBYE)) {
		if (bpf_map_delete_elem(&stations, &mac))
			return XDP_DROP;
		return XDP_PASS;
	}

	known = bpf_map_lookup_elem(&stations, &mac);
	if (known) {
		known->ifindex = ctx->ingress_ifindex;
		known->cpu = bpf_get_smp_processor_id();
		__sync_fetch_and_add(&known->packets, 1);
		return XDP_PASS;
	}

	new.ifindex = ctx->ingress_ifindex;
	new.cpu = bpf_get_smp_processor_id();
	new.packets = 1;
	if (bpf_map_update_elem(&stations, &mac, &new, BPF_NOEXIST))
		return XDP_DROP;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
