/* SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only */
/* From bytes to a flow. An ICMP error is read as the flow of the packet that it is about. */
#ifndef BALANCER_PARSE_H
#define BALANCER_PARSE_H

#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "balancer.h"

#define IP_DF     0x4000
#define IP_MF     0x2000
#define IP_OFFSET 0x1fff

/* <linux/icmp.h> wants the headers of a 32-bit libc. */
#define ICMP_ECHOREPLY    0
#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED  4
#define ICMP_ECHO         8

struct icmp_hdr {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 id;
	__be16 mtu;
};

/* RFC 9000, sections 17.2 and 17.3. */
#define QUIC_LONG 0x80
#define QUIC_TYPE 0x30
#define QUIC_HANDSHAKE 0x20
#define QUIC_MIN_CID 8
#define QUIC_CID_VERSION 1

struct quic_long {
	__u8 flags;
	__be32 version;
	__u8 cid_len;
	__u8 cid[QUIC_MIN_CID];
} __attribute__((packed));

struct quic_short {
	__u8 flags;
	__u8 cid[QUIC_MIN_CID];
} __attribute__((packed));

/* The first 8 bytes of a segment, all that an ICMP error must quote. */
struct ports {
	__be16 source;
	__be16 dest;
	__be32 seq;
};

static __always_inline int parse_ports(void *l4, void *data_end, struct flow *flow, struct parsed *parsed)
{
	struct ports *ports = l4;
	struct tcphdr *tcp = l4;
	struct udphdr *udp = l4;

	if (parsed->is_icmp) {
		if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP)
			return XDP_PASS;
		if ((void *)(ports + 1) > data_end)
			return XDP_DROP;
		/* The quoted packet went the other way. */
		flow->sport = ports->dest;
		flow->dport = ports->source;
		return CONTINUE;
	}

	switch (flow->protocol) {
	case IPPROTO_TCP:
		if ((void *)(tcp + 1) > data_end)
			return XDP_DROP;
		flow->sport = tcp->source;
		flow->dport = tcp->dest;
		parsed->is_syn = tcp->syn && !tcp->ack;
		return CONTINUE;
	case IPPROTO_UDP:
		if ((void *)(udp + 1) > data_end)
			return XDP_DROP;
		flow->sport = udp->source;
		flow->dport = udp->dest;
		return CONTINUE;
	default:
		return XDP_PASS;
	}
}

static __always_inline int parse_icmp(void *l4, void *data_end, struct flow *flow, struct parsed *parsed)
{
	struct icmp_hdr *icmp = l4;
	struct iphdr *quoted;

	if ((void *)(icmp + 1) > data_end)
		return XDP_DROP;
	if (icmp->type == ICMP_ECHO)
		return ECHO;
	if (icmp->type != ICMP_DEST_UNREACH)
		return XDP_PASS;
	quoted = (void *)(icmp + 1);
	if ((void *)(quoted + 1) > data_end || quoted->ihl != 5)
		return XDP_DROP;
	parsed->is_icmp = true;
	flow->protocol = quoted->protocol;
	flow->src.v4 = quoted->daddr;
	flow->dst.v4 = quoted->saddr;
	return parse_ports(quoted + 1, data_end, flow, parsed);
}

static __always_inline int parse_icmpv6(void *l4, void *data_end, struct flow *flow, struct parsed *parsed)
{
	struct icmp6hdr *icmp6 = l4;
	struct ipv6hdr *quoted;

	if ((void *)(icmp6 + 1) > data_end)
		return XDP_DROP;
	if (icmp6->icmp6_type == ICMPV6_ECHO_REQUEST)
		return ECHO;
	if (icmp6->icmp6_type != ICMPV6_PKT_TOOBIG && icmp6->icmp6_type != ICMPV6_DEST_UNREACH)
		return XDP_PASS;
	quoted = (void *)(icmp6 + 1);
	if ((void *)(quoted + 1) > data_end)
		return XDP_DROP;
	parsed->is_icmp = true;
	flow->protocol = quoted->nexthdr;
	__builtin_memcpy(flow->src.v6, &quoted->daddr, sizeof(flow->src.v6));
	__builtin_memcpy(flow->dst.v6, &quoted->saddr, sizeof(flow->dst.v6));
	return parse_ports(quoted + 1, data_end, flow, parsed);
}

static __always_inline int parse_ipv4(void *l3, void *data_end, struct flow *flow, struct parsed *parsed)
{
	struct iphdr *ip = l3;

	if ((void *)(ip + 1) > data_end || ip->ihl < 5)
		return XDP_DROP;
	/* The host puts fragments together and reads options. */
	if (ip->ihl > 5 || ip->frag_off & bpf_htons(IP_MF | IP_OFFSET))
		return XDP_PASS;
	parsed->len = bpf_ntohs(ip->tot_len);
	parsed->tos = ip->tos;
	parsed->may_answer = ip->frag_off & bpf_htons(IP_DF);
	if (ip->protocol == IPPROTO_ICMP)
		return parse_icmp(ip + 1, data_end, flow, parsed);
	flow->protocol = ip->protocol;
	flow->src.v4 = ip->saddr;
	flow->dst.v4 = ip->daddr;
	return parse_ports(ip + 1, data_end, flow, parsed);
}

static __always_inline int parse_ipv6(void *l3, void *data_end, struct flow *flow, struct parsed *parsed)
{
	struct ipv6hdr *ip6 = l3;

	if ((void *)(ip6 + 1) > data_end)
		return XDP_DROP;
	parsed->len = bpf_ntohs(ip6->payload_len) + sizeof(*ip6);
	parsed->tos = ip6->priority << 4 | ip6->flow_lbl[0] >> 4;
	parsed->may_answer = true;
	if (ip6->nexthdr == IPPROTO_ICMPV6)
		return parse_icmpv6(ip6 + 1, data_end, flow, parsed);
	flow->protocol = ip6->nexthdr;
	__builtin_memcpy(flow->src.v6, &ip6->saddr, sizeof(flow->src.v6));
	__builtin_memcpy(flow->dst.v6, &ip6->daddr, sizeof(flow->dst.v6));
	return parse_ports(ip6 + 1, data_end, flow, parsed);
}

#endif
