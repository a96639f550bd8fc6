/* SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only */
/* The outer header, towards a real. */
#ifndef BALANCER_ENCAP_H
#define BALANCER_ENCAP_H

#include "balancer.h"

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline __u16 header_checksum(const struct iphdr *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

	for (int i = 0; i < sizeof(*ip) / 2; i++)
		sum += word[i];
	return fold(sum);
}

/* Bits that differ from flow to flow. */
static __always_inline __u32 entropy(const struct flow *flow, bool is_v6)
{
	return (is_v6 ? flow->src.v6[3] : flow->src.v4) ^ ((__u32)flow->sport << 16);
}

static __always_inline void fill_ethernet(struct ethhdr *eth, const struct ethhdr *old, __be16 proto)
{
	__builtin_memcpy(eth->h_source, old->h_dest, ETH_ALEN);
	for (int i = 0; i < ETH_ALEN; i++)
		eth->h_dest[i] = gateway[i];
	eth->h_proto = proto;
}

static __always_inline int encap_v4(struct xdp_md *ctx, const struct flow *flow, const struct real *real,
				    const struct parsed *parsed, bool is_v6)
{
	void *data, *data_end;
	struct iphdr *ip;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + sizeof(*ip) + sizeof(struct ethhdr) > data_end)
		return XDP_DROP;
	fill_ethernet(data, data + sizeof(*ip), bpf_htons(ETH_P_IP));

	ip = data + sizeof(struct ethhdr);
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tos = parsed->tos;
	ip->tot_len = bpf_htons(parsed->len + sizeof(*ip));
	ip->id = 0;
	ip->frag_off = 0;
	ip->ttl = 64;
	ip->protocol = is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	ip->check = 0;
	ip->saddr = source_v4 | (entropy(flow, is_v6) & bpf_htonl(0xffff));
	ip->daddr = real->addr.v4;
	ip->check = header_checksum(ip);
	return XDP_TX;
}

static __always_inline int encap_v6(struct xdp_md *ctx, const struct flow *flow, const struct real *real,
				    const struct parsed *parsed, bool is_v6)
{
	void *data, *data_end;
	struct ipv6hdr *ip6;
	__be32 *saddr;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip6)))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + sizeof(*ip6) + sizeof(struct ethhdr) > data_end)
		return XDP_DROP;
	fill_ethernet(data, data + sizeof(*ip6), bpf_htons(ETH_P_IPV6));

	ip6 = data + sizeof(struct ethhdr);
	ip6->version = 6;
	ip6->priority = parsed->tos >> 4;
	ip6->flow_lbl[0] = parsed->tos << 4;
	ip6->flow_lbl[1] = 0;
	ip6->flow_lbl[2] = 0;
	ip6->payload_len = bpf_htons(parsed->len);
	ip6->nexthdr = is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	ip6->hop_limit = 64;
	saddr = ip6->saddr.s6_addr32;
	saddr[0] = source_v6[0];
	saddr[1] = source_v6[1];
	saddr[2] = source_v6[2];
	saddr[3] = source_v6[3] | entropy(flow, is_v6);
	__builtin_memcpy(&ip6->daddr, real->addr.v6, sizeof(ip6->daddr));
	return XDP_TX;
}

#endif
