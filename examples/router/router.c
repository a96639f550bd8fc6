// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * IPv4 router. The longest prefix gives a route, the neighbour table the MAC
 * address of the next hop, the devmap the port. What the router's own stack
 * must see (its addresses, ARP, options, an expiring TTL, a neighbour that is
 * not resolved yet) goes to the host.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

enum route_type {
	ROUTE_UNICAST,
	ROUTE_LOCAL,
	ROUTE_BLACKHOLE,
};

struct route_key {
	__u32 prefixlen;
	__be32 addr;
};

struct route {
	__u32 type;
	__u32 port;
	__be32 gateway; /* 0: the destination is on the link */
};

struct neighbour {
	__u8 mac[ETH_ALEN];
	__u8 port_mac[ETH_ALEN];
	__u64 packets;
	__u64 bytes;
};

enum counter {
	FORWARDED,
	LOCAL,
	NO_ROUTE,
	BLACKHOLE,
	NO_NEIGHBOUR,
	TTL_EXPIRED,
	MALFORMED,
	COUNTERS,
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct route_key);
	__type(value, struct route);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, struct neighbour);
} neighbours SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline int count(enum counter which, int action)
{
	__u32 key = which;
	__u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		*value += 1;
	return action;
}

/* RFC 1141: the checksum of a header whose TTL went down by one. */
static __always_inline void decrease_ttl(struct iphdr *ip)
{
	__u32 check = ip->check;

	check += bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
}

SEC("xdp")
int xdp_router(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct neighbour *neighbour;
	struct ethhdr *eth = data;
	struct route_key key;
	struct route *route;
	struct iphdr *ip;
	__be32 next_hop;

	if ((void *)(eth + 1) > data_end)
		return count(MALFORMED, XDP_DROP);
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return count(LOCAL, XDP_PASS);

	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end || ip->version != 4 || ip->ihl < 5)
		return count(MALFORMED, XDP_DROP);
	if (ip->ihl > 5)
		return count(LOCAL, XDP_PASS);

	key.prefixlen = 32;
	key.addr = ip->daddr;
	route = bpf_map_lookup_elem(&routes, &key);
	if (!route)
		return count(NO_ROUTE, XDP_PASS);

	switch (route->type) {
	case ROUTE_UNICAST:
		break;
	case ROUTE_BLACKHOLE:
		return count(BLACKHOLE, XDP_DROP);
	default:
		return count(LOCAL, XDP_PASS);
	}
	if (ip->ttl <= 1)
		return count(TTL_EXPIRED, XDP_PASS);

	next_hop = route->gateway ? route->gateway : ip->daddr;
	neighbour = bpf_map_lookup_elem(&neighbours, &next_hop);
	if (!neighbour)
		return count(NO_NEIGHBOUR, XDP_PASS);

	decrease_ttl(ip);
	__builtin_memcpy(eth->h_dest, neighbour->mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, neighbour->port_mac, ETH_ALEN);
	__sync_fetch_and_add(&neighbour->packets, 1);
	__sync_fetch_and_add(&neighbour->bytes, data_end - data);
	count(FORWARDED, 0);
	return bpf_redirect_map(&ports, route->port, XDP_DROP);
}

char _license[] SEC("license") = "Dual MIT/GPL";
