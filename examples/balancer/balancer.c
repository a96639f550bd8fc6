// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Layer 4 load balancer. A packet to a service (VIP) is sent on to one of its
 * servers (reals) inside an outer IP header; answers go from the server to the
 * client without coming by here.
 *
 * A connection stays with its real: QUIC says in its connection id which one,
 * others stand in the connection table. New ones are placed by consistent
 * hashing: the hash of the flow is a place on the service's ring, which user
 * space fills so that few flows move when reals come and go.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "balancer.h"
#include "parse.h"
#include "encap.h"
#include "answer.h"

static __always_inline void count(enum counter which)
{
	__u32 key = which;
	__u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		*value += 1;
}

static __always_inline void add(void *map, __u32 key, __u64 bytes)
{
	struct stats *stats = bpf_map_lookup_elem(map, &key);

	if (stats) {
		stats->packets++;
		stats->bytes += bytes;
	}
}

/* Of IP headers; those with options or extension headers are not balanced. */
static __always_inline __u32 header_len(bool is_v6)
{
	return is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

static __always_inline __u32 flow_hash(const struct flow *flow, bool is_v6)
{
	__u32 ports = (__u32)flow->sport << 16 | flow->dport;

	if (is_v6)
		return jhash_2words(jhash(flow->src.v6, 4, SEED_V6), ports, SEED_V6);
	return jhash_2words(flow->src.v4, ports, SEED_V4);
}

/* The place on the ring of a service, which names a real. */
static __always_inline struct real *real_from_ring(const struct vip *vip, const struct flow *flow, bool is_v6,
						   __u32 *index)
{
	__u32 key = vip->ring, *found;
	void *ring;

	ring = bpf_map_lookup_elem(&rings, &key);
	if (!ring) {
		count(NO_RING);
		return NULL;
	}
	key = flow_hash(flow, is_v6) % RING_SIZE;
	found = bpf_map_lookup_elem(ring, &key);
	if (!found)
		return NULL;
	*index = *found;
	return bpf_map_lookup_elem(&reals, index);
}

static __always_inline struct real *real_from_table(const struct flow *flow, __u32 *index)
{
	struct connection *connection = bpf_map_lookup_elem(&connections, flow);

	if (!connection) {
		count(TABLE_MISS);
		return NULL;
	}
	connection->packets++;
	*index = connection->real;
	return bpf_map_lookup_elem(&reals, index);
}

/* Servers put their number into the connection ids that they hand out. */
static __always_inline struct real *real_from_quic(struct udphdr *udp, void *data_end, __u32 *index)
{
	struct quic_long *long_header = (void *)(udp + 1);
	struct quic_short *short_header = (void *)(udp + 1);
	const __u8 *cid;
	__u32 server, *found;

	if ((void *)(short_header + 1) > data_end)
		return NULL;
	if (short_header->flags & QUIC_LONG) {
		if ((void *)(long_header + 1) > data_end)
			return NULL;
		/* The first packets carry an id that the client made up. */
		if ((long_header->flags & QUIC_TYPE) < QUIC_HANDSHAKE)
			return NULL;
		if (long_header->cid_len < QUIC_MIN_CID)
			return NULL;
		cid = long_header->cid;
	} else {
		cid = short_header->cid;
	}
	if (cid[0] >> 6 != QUIC_CID_VERSION)
		return NULL;
	server = (__u32)(cid[0] & 0x3f) << 8 | cid[1];
	found = bpf_map_lookup_elem(&quic_servers, &server);
	if (!found || !*found)
		return NULL;
	*index = *found;
	return bpf_map_lookup_elem(&reals, index);
}

static __always_inline struct vip *find_vip(const struct flow *flow, bool is_v6)
{
	struct vip_key key = {};
	struct vip *vip;

	if (is_v6)
		__builtin_memcpy(key.addr.v6, flow->dst.v6, sizeof(key.addr.v6));
	else
		key.addr.v4 = flow->dst.v4;
	key.port = flow->dport;
	key.protocol = flow->protocol;
	vip = bpf_map_lookup_elem(&vips, &key);
	if (vip)
		return vip;
	/* Services that take all ports. */
	key.port = 0;
	return bpf_map_lookup_elem(&vips, &key);
}

static __always_inline int balance(struct xdp_md *ctx, bool is_v6)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u64 bytes = data_end - data;
	struct parsed parsed = {};
	struct real *real = NULL;
	struct flow flow = {};
	__u32 index = 0;
	struct vip *vip;
	__u32 flags;
	int action;

	if (is_v6)
		action = parse_ipv6(data + sizeof(struct ethhdr), data_end, &flow, &parsed);
	else
		action = parse_ipv4(data + sizeof(struct ethhdr), data_end, &flow, &parsed);
	switch (action) {
	case CONTINUE:
		break;
	case ECHO:
		count(ECHO_ANSWERED);
		return is_v6 ? answer_echo_v6(ctx) : answer_echo_v4(ctx);
	default:
		if (action == XDP_DROP)
			count(MALFORMED);
		return action;
	}

	vip = find_vip(&flow, is_v6);
	if (!vip)
		return XDP_PASS;
	if (parsed.is_icmp)
		count(ICMP_FORWARDED);

	if (bytes > sizeof(struct ethhdr) + mtu - overhead(is_v6)) {
		if (parsed.is_icmp || !parsed.may_answer)
			return XDP_DROP;
		count(TOO_BIG);
		return is_v6 ? answer_toobig_v6(ctx, bytes) : answer_toobig_v4(ctx, bytes);
	}

	flags = vip->flags;
	if (flags & VIP_HASH_NO_SPORT)
		flow.sport = 0;
	if (flags & VIP_HASH_DPORT) {
		flow.sport = 0;
		__builtin_memset(&flow.src, 0, sizeof(flow.src));
	}

	if (flags & VIP_QUIC && !parsed.is_icmp && flow.protocol == IPPROTO_UDP) {
		real = real_from_quic(data + sizeof(struct ethhdr) + header_len(is_v6), data_end, &index);
		count(real ? QUIC_BY_ID : QUIC_BY_HASH);
	}
	/* A SYN begins a new connection, even if the table knows the ports from an old one. */
	if (!real && !(flags & VIP_NO_TABLE) && !parsed.is_syn)
		real = real_from_table(&flow, &index);
	if (!real) {
		real = real_from_ring(vip, &flow, is_v6, &index);
		if (!real)
			return XDP_DROP;
		if (!(flags & VIP_NO_TABLE) && !parsed.is_icmp) {
			struct connection connection = { .real = index, .packets = 1 };

			bpf_map_update_elem(&connections, &flow, &connection, BPF_ANY);
		}
	}

	add(&vip_stats, vip->id, bytes);
	add(&real_stats, index, bytes);
	if (real->flags & REAL_V6)
		return encap_v6(ctx, &flow, real, &parsed, is_v6);
	return encap_v4(ctx, &flow, real, &parsed, is_v6);
}

SEC("xdp")
int xdp_balancer(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return balance(ctx, false);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return balance(ctx, true);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
