/* SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only */
/* ICMP that the balancer answers itself: echo requests, and packets that would not fit with an outer header. */
#ifndef BALANCER_ANSWER_H
#define BALANCER_ANSWER_H

#include "balancer.h"

/* Bytes of the offending packet that go back with the answer. */
#define QUOTE_V4 (sizeof(struct iphdr) + 8)
#define QUOTE_V6 (sizeof(struct ipv6hdr) + 64)

struct pseudo_header {
	struct in6_addr saddr;
	struct in6_addr daddr;
	__be32 len;
	__be32 nexthdr;
};

/* The largest outer header that a real may ask for. */
static __always_inline __u32 overhead(bool is_v6)
{
	return sizeof(struct ipv6hdr);
}

static __always_inline void turn_ethernet(struct ethhdr *to, const struct ethhdr *from)
{
	struct ethhdr old = *from;

	__builtin_memcpy(to->h_dest, old.h_source, ETH_ALEN);
	__builtin_memcpy(to->h_source, old.h_dest, ETH_ALEN);
	to->h_proto = old.h_proto;
}

/* RFC 1624: a word of what the checksum covers went from `from` to `to`. */
static __always_inline __u16 update_checksum(__u16 check, __u16 from, __u16 to)
{
	return fold((__u16)~check + (__u16)~from + to);
}

static __always_inline int answer_echo_v4(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct icmp_hdr *icmp = (void *)(ip + 1);
	__be32 saddr;

	if ((void *)(icmp + 1) > data_end)
		return XDP_DROP;
	turn_ethernet(data, data);
	saddr = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = saddr;
	ip->check = update_checksum(ip->check, ip->ttl, 64);
	ip->ttl = 64;
	icmp->checksum = update_checksum(icmp->checksum, ICMP_ECHO, ICMP_ECHOREPLY);
	icmp->type = ICMP_ECHOREPLY;
	return XDP_TX;
}

static __always_inline int answer_echo_v6(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ipv6hdr *ip6 = data + sizeof(struct ethhdr);
	struct icmp6hdr *icmp6 = (void *)(ip6 + 1);
	struct in6_addr saddr;

	if ((void *)(icmp6 + 1) > data_end)
		return XDP_DROP;
	turn_ethernet(data, data);
	saddr = ip6->saddr;
	ip6->saddr = ip6->daddr;
	ip6->daddr = saddr;
	ip6->hop_limit = 64;
	icmp6->icmp6_cksum = update_checksum(icmp6->icmp6_cksum, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY);
	icmp6->icmp6_type = ICMPV6_ECHO_REPLY;
	return XDP_TX;
}

static __always_inline int answer_toobig_v4(struct xdp_md *ctx, int bytes)
{
	const int headers = sizeof(struct iphdr) + sizeof(struct icmp_hdr);
	struct iphdr *ip, *quoted;
	struct icmp_hdr *icmp;
	void *data, *data_end;

	if (bpf_xdp_adjust_tail(ctx, (int)(sizeof(struct ethhdr) + QUOTE_V4) - bytes))
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -headers))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + sizeof(struct ethhdr) + headers + QUOTE_V4 > data_end)
		return XDP_DROP;
	turn_ethernet(data, data + headers);

	ip = data + sizeof(struct ethhdr);
	icmp = (void *)(ip + 1);
	quoted = (void *)(icmp + 1);

	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_FRAG_NEEDED;
	icmp->checksum = 0;
	icmp->id = 0;
	icmp->mtu = bpf_htons(mtu - overhead(false));
	icmp->checksum = fold(bpf_csum_diff(0, 0, (__be32 *)icmp, sizeof(*icmp) + QUOTE_V4, 0));

	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tos = 0xc0; /* internetwork control */
	ip->tot_len = bpf_htons(headers + QUOTE_V4);
	ip->id = 0;
	ip->frag_off = bpf_htons(IP_DF);
	ip->ttl = 64;
	ip->protocol = IPPROTO_ICMP;
	ip->check = 0;
	ip->saddr = quoted->daddr;
	ip->daddr = quoted->saddr;
	ip->check = header_checksum(ip);
	return XDP_TX;
}

static __always_inline int answer_toobig_v6(struct xdp_md *ctx, int bytes)
{
	const int headers = sizeof(struct ipv6hdr) + sizeof(struct icmp6hdr);
	const int len = sizeof(struct icmp6hdr) + QUOTE_V6;
	struct pseudo_header pseudo = {};
	struct ipv6hdr *ip6, *quoted;
	struct icmp6hdr *icmp6;
	void *data, *data_end;
	__u32 sum;

	if (bpf_xdp_adjust_tail(ctx, (int)(sizeof(struct ethhdr) + QUOTE_V6) - bytes))
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -headers))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + sizeof(struct ethhdr) + sizeof(*ip6) + len > data_end)
		return XDP_DROP;
	turn_ethernet(data, data + headers);

	ip6 = data + sizeof(struct ethhdr);
	icmp6 = (void *)(ip6 + 1);
	quoted = (void *)(icmp6 + 1);

	ip6->version = 6;
	ip6->priority = 0;
	__builtin_memset(ip6->flow_lbl, 0, sizeof(ip6->flow_lbl));
	ip6->payload_len = bpf_htons(len);
	ip6->nexthdr = IPPROTO_ICMPV6;
	ip6->hop_limit = 64;
	ip6->saddr = quoted->daddr;
	ip6->daddr = quoted->saddr;

	icmp6->icmp6_type = ICMPV6_PKT_TOOBIG;
	icmp6->icmp6_code = 0;
	icmp6->icmp6_cksum = 0;
	icmp6->icmp6_mtu = bpf_htonl(mtu - overhead(true));

	pseudo.saddr = ip6->saddr;
	pseudo.daddr = ip6->daddr;
	pseudo.len = bpf_htonl(len);
	pseudo.nexthdr = bpf_htonl(IPPROTO_ICMPV6);
	sum = bpf_csum_diff(0, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
	sum = bpf_csum_diff(0, 0, (__be32 *)icmp6, len, sum);
	icmp6->icmp6_cksum = fold(sum);
	return XDP_TX;
}

#endif
