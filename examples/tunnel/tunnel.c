// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * IP-in-IP encapsulation. Packets to a service (address, port, protocol) get
 * an outer IPv4 or IPv6 header, as the service's entry says, and go back out.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define AF_INET  2
#define AF_INET6 10

#define IP_OFFSET 0x1fff

struct service {
	union {
		__u32 v6[4];
		__u32 v4;
	} daddr;
	__be16 dport;
	__u16 family;
	__u32 protocol;
};

struct tunnel {
	union {
		__u32 v6[4];
		__u32 v4;
	} saddr;
	union {
		__u32 v6[4];
		__u32 v4;
	} daddr;
	__u16 family;
	__u8 dmac[ETH_ALEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct service);
	__type(value, struct tunnel);
} tunnels SEC(".maps");

/* Packets by protocol. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} encapsulated SEC(".maps");

static __always_inline void count(__u32 protocol)
{
	__u64 *packets = bpf_map_lookup_elem(&encapsulated, &protocol);

	if (packets)
		*packets += 1;
}

/* Destination port; -1 if the packet is too short, 0 if its protocol has no ports. */
static __always_inline int destination_port(void *l4, void *data_end, __u8 protocol)
{
	struct tcphdr *tcp;
	struct udphdr *udp;

	switch (protocol) {
	case IPPROTO_TCP:
		tcp = l4;
		if ((void *)(tcp + 1) > data_end)
			return -1;
		return tcp->dest;
	case IPPROTO_UDP:
		udp = l4;
		if ((void *)(udp + 1) > data_end)
			return -1;
		return udp->dest;
	default:
		return 0;
	}
}

static __always_inline __u16 header_checksum(struct iphdr *ip)
{
	__u16 *word = (__u16 *)ip;
	__u32 sum = 0;

	for (int i = 0; i < sizeof(*ip) / 2; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return ~sum;
}

static __always_inline int push_v4(struct xdp_md *ctx, const struct tunnel *tunnel, __u16 payload, __u8 protocol,
				   __u8 tos)
{
	struct ethhdr *old, *eth;
	void *data, *data_end;
	struct iphdr *ip;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;

	eth = data;
	old = data + sizeof(*ip);
	ip = data + sizeof(*eth);
	if ((void *)(old + 1) > data_end)
		return XDP_DROP;

	__builtin_memcpy(eth->h_source, old->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, tunnel->dmac, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);

	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tos = tos;
	ip->tot_len = bpf_htons(payload + sizeof(*ip));
	ip->id = 0;
	ip->frag_off = 0;
	ip->ttl = 64;
	ip->protocol = protocol;
	ip->check = 0;
	ip->saddr = tunnel->saddr.v4;
	ip->daddr = tunnel->daddr.v4;
	ip->check = header_checksum(ip);
	return XDP_TX;
}

static __always_inline int push_v6(struct xdp_md *ctx, const struct tunnel *tunnel, __u16 payload, __u8 protocol)
{
	struct ethhdr *old, *eth;
	void *data, *data_end;
	struct ipv6hdr *ip6;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip6)))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;

	eth = data;
	old = data + sizeof(*ip6);
	ip6 = data + sizeof(*eth);
	if ((void *)(old + 1) > data_end)
		return XDP_DROP;

	__builtin_memcpy(eth->h_source, old->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, tunnel->dmac, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IPV6);

	ip6->version = 6;
	ip6->priority = 0;
	__builtin_memset(ip6->flow_lbl, 0, sizeof(ip6->flow_lbl));
	ip6->payload_len = bpf_htons(payload);
	ip6->nexthdr = protocol;
	ip6->hop_limit = 64;
	__builtin_memcpy(&ip6->saddr, tunnel->saddr.v6, sizeof(ip6->saddr));
	__builtin_memcpy(&ip6->daddr, tunnel->daddr.v6, sizeof(ip6->daddr));
	return XDP_TX;
}

static __always_inline int encapsulate(struct xdp_md *ctx, const struct service *service, __u16 payload,
				       __u8 inner, __u8 tos)
{
	struct tunnel *tunnel = bpf_map_lookup_elem(&tunnels, service);

	if (!tunnel)
		return XDP_PASS;
	count(service->protocol);
	if (tunnel->family == AF_INET)
		return push_v4(ctx, tunnel, payload, inner, tos);
	return push_v6(ctx, tunnel, payload, inner);
}

static __always_inline int handle_v4(struct xdp_md *ctx, struct iphdr *ip, void *data_end)
{
	struct service service = {};
	int port;

	if ((void *)(ip + 1) > data_end)
		return XDP_DROP;
	if (ip->ihl != 5 || ip->frag_off & bpf_htons(IP_OFFSET))
		return XDP_PASS;
	port = destination_port(ip + 1, data_end, ip->protocol);
	if (port < 0)
		return XDP_DROP;

	service.family = AF_INET;
	service.protocol = ip->protocol;
	service.daddr.v4 = ip->daddr;
	service.dport = port;
	return encapsulate(ctx, &service, bpf_ntohs(ip->tot_len), IPPROTO_IPIP, ip->tos);
}

static __always_inline int handle_v6(struct xdp_md *ctx, struct ipv6hdr *ip6, void *data_end)
{
	struct service service = {};
	int port;

	if ((void *)(ip6 + 1) > data_end)
		return XDP_DROP;
	port = destination_port(ip6 + 1, data_end, ip6->nexthdr);
	if (port < 0)
		return XDP_DROP;

	service.family = AF_INET6;
	service.protocol = ip6->nexthdr;
	__builtin_memcpy(service.daddr.v6, &ip6->daddr, sizeof(service.daddr.v6));
	service.dport = port;
	return encapsulate(ctx, &service, bpf_ntohs(ip6->payload_len) + sizeof(*ip6), IPPROTO_IPV6, 0);
}

SEC("xdp")
int xdp_tunnel(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return handle_v4(ctx, (void *)(eth + 1), data_end);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return handle_v6(ctx, (void *)(eth + 1), data_end);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
