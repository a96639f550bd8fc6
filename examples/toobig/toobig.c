// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Answers packets that are larger than the MTU of the way ahead: ICMP
 * "fragmentation needed" (RFC 1191) or ICMPv6 "packet too big" (RFC 4443). The
 * packet is cut behind what the answer quotes, the new headers go in front.
 */
#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define IP_DF 0x4000

/* <linux/icmp.h> wants the headers of a 32-bit libc. */
#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED  4

struct icmp_unreach {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 unused;
	__be16 mtu;
};

/* Bytes of the offending packet that go back with the answer. */
#define QUOTE_V4 (sizeof(struct iphdr) + 8)
#define QUOTE_V6 (sizeof(struct ipv6hdr) + 64)

const volatile __u16 mtu = 1280;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} answers SEC(".maps");

struct pseudo_header {
	struct in6_addr saddr;
	struct in6_addr daddr;
	__be32 len;
	__be32 nexthdr;
};

static __always_inline void count(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&answers, &key);

	if (value)
		*value += 1;
}

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void swap_macs(struct ethhdr *to, const struct ethhdr *from)
{
	struct ethhdr old = *from;

	__builtin_memcpy(to->h_dest, old.h_source, ETH_ALEN);
	__builtin_memcpy(to->h_source, old.h_dest, ETH_ALEN);
	to->h_proto = old.h_proto;
}

static __always_inline int answer_v4(struct xdp_md *ctx)
{
	const int headers = sizeof(struct iphdr) + sizeof(struct icmp_unreach);
	struct iphdr *ip, *quoted;
	struct icmp_unreach *icmp;
	void *data, *data_end;
	struct ethhdr *eth;

	if (bpf_xdp_adjust_head(ctx, -headers))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + sizeof(*eth) + headers + QUOTE_V4 > data_end)
		return XDP_DROP;

	eth = data;
	swap_macs(eth, data + headers);

	ip = data + sizeof(*eth);
	icmp = (void *)(ip + 1);
	quoted = (void *)(icmp + 1);

	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_FRAG_NEEDED;
	icmp->checksum = 0;
	icmp->unused = 0;
	icmp->mtu = bpf_htons(mtu);
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
	ip->check = fold(bpf_csum_diff(0, 0, (__be32 *)ip, sizeof(*ip), 0));

	count(0);
	return XDP_TX;
}

static __always_inline int answer_v6(struct xdp_md *ctx)
{
	const int headers = sizeof(struct ipv6hdr) + sizeof(struct icmp6hdr);
	const int len = sizeof(struct icmp6hdr) + QUOTE_V6;
	struct pseudo_header pseudo = {};
	struct ipv6hdr *ip6, *quoted;
	struct icmp6hdr *icmp6;
	void *data, *data_end;
	struct ethhdr *eth;
	__u16 *word;
	__u32 sum;

	if (bpf_xdp_adjust_head(ctx, -headers))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + sizeof(*eth) + sizeof(*ip6) + len > data_end)
		return XDP_DROP;

	eth = data;
	swap_macs(eth, data + headers);

	ip6 = data + sizeof(*eth);
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
	icmp6->icmp6_mtu = bpf_htonl(mtu);

	pseudo.saddr = ip6->saddr;
	pseudo.daddr = ip6->daddr;
	pseudo.len = bpf_htonl(len);
	pseudo.nexthdr = bpf_htonl(IPPROTO_ICMPV6);
	sum = bpf_csum_diff(0, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
	/* Room for the carries of what follows. */
	sum = (sum & 0xffff) + (sum >> 16);
	word = (__u16 *)icmp6;
	for (int i = 0; i < len / 2; i++)
		sum += word[i];
	icmp6->icmp6_cksum = fold(sum);

	count(1);
	return XDP_TX;
}

SEC("xdp")
int xdp_toobig(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	int len = data_end - data;
	struct ipv6hdr *ip6;
	struct iphdr *ip;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	if (len <= (int)sizeof(*eth) + mtu)
		return XDP_PASS;

	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		ip = (void *)(eth + 1);
		if ((void *)(ip + 1) > data_end)
			return XDP_DROP;
		/* Routers on the way may cut it; errors are never answered. */
		if (!(ip->frag_off & bpf_htons(IP_DF)) || ip->protocol == IPPROTO_ICMP)
			return XDP_PASS;
		if (bpf_xdp_adjust_tail(ctx, (int)(sizeof(*eth) + QUOTE_V4) - len))
			return XDP_DROP;
		return answer_v4(ctx);
	}
	if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		ip6 = (void *)(eth + 1);
		if ((void *)(ip6 + 1) > data_end)
			return XDP_DROP;
		if (ip6->nexthdr == IPPROTO_ICMPV6)
			return XDP_PASS;
		if (bpf_xdp_adjust_tail(ctx, (int)(sizeof(*eth) + QUOTE_V6) - len))
			return XDP_DROP;
		return answer_v6(ctx);
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
