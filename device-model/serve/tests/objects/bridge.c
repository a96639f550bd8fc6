// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * A wire with two ends: what comes in at one port goes out at the other. And
 * the same with a guard, who drops the echo requests of one host and counts
 * them.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define ICMP_ECHO 8

/* The front of every ICMP message; <linux/icmp.h> wants the C library. */
struct icmp_hdr {
	__u8 type;
	__u8 code;
	__be16 check;
};

/* By ifindex of the port of entry. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} wires SEC(".maps");

/* Echo requests dropped, by source address. Who is not in it may ping. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __be32);
	__type(value, __u64);
} silenced SEC(".maps");

SEC("xdp")
int bridge(struct xdp_md *ctx)
{
	return bpf_redirect_map(&wires, ctx->ingress_ifindex, XDP_PASS);
}

SEC("xdp")
int guard(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) <= data_end && eth->h_proto == bpf_htons(ETH_P_IP) &&
	    ip->protocol == IPPROTO_ICMP && ip->ihl == 5) {
		struct icmp_hdr *icmp = (void *)(ip + 1);
		__be32 source = ip->saddr;
		__u64 *count;

		if ((void *)(icmp + 1) > data_end)
			return XDP_DROP;
		count = bpf_map_lookup_elem(&silenced, &source);
		if (count && icmp->type == ICMP_ECHO) {
			__sync_fetch_and_add(count, 1);
			return XDP_DROP;
		}
	}
	return bpf_redirect_map(&wires, ctx->ingress_ifindex, XDP_PASS);
}

char _license[] SEC("license") = "Dual MIT/GPL";
