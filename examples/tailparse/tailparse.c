// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * A parser of one program per header, chained by tail calls. What is known so
 * far is handed over in a per-CPU scratch value; the last program of a chain
 * counts the service that the packet is for and decides.
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

#define IP_OFFSET 0x1fff
#define MAX_OFFSET 256

struct vlan_hdr {
	__be16 tci;
	__be16 proto;
};

struct option_hdr {
	__u8 nexthdr;
	__u8 len; /* in units of 8 bytes, without the first 8 */
};

struct frag_hdr {
	__u8 nexthdr;
	__u8 reserved;
	__be16 frag_off;
	__be32 identification;
};

enum parser {
	PARSE_IPV4,
	PARSE_IPV6,
	PARSE_EXTENSION,
	PARSE_TCP,
	PARSE_UDP,
	PARSERS,
};

struct state {
	__u32 offset; /* of the header to parse next */
	__u16 vlan;
	__u8 family;
	__u8 protocol;
	__u8 headers;
	__u8 fragment;
};

struct service {
	__be16 port;
	__u8 protocol;
	__u8 family;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state);
} scratch SEC(".maps");

/* What is in here passes. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, struct service);
	__type(value, __u64);
} services SEC(".maps");

int parse_ipv4(struct xdp_md *ctx);
int parse_ipv6(struct xdp_md *ctx);
int parse_extension(struct xdp_md *ctx);
int parse_tcp(struct xdp_md *ctx);
int parse_udp(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, PARSERS);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} parsers SEC(".maps") = {
	.values = {
		[PARSE_IPV4] = (void *)&parse_ipv4,
		[PARSE_IPV6] = (void *)&parse_ipv6,
		[PARSE_EXTENSION] = (void *)&parse_extension,
		[PARSE_TCP] = (void *)&parse_tcp,
		[PARSE_UDP] = (void *)&parse_udp,
	},
};

static __always_inline struct state *get_state(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&scratch, &key);
}

/* Whether `len` bytes are there of the header that the state points at, and where. */
static __always_inline int header(struct xdp_md *ctx, const struct state *state, __u32 len, void **at)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 offset = state->offset;

	if (offset > MAX_OFFSET)
		return 0;
	*at = data + offset;
	return *at + len <= data_end;
}

static __always_inline void next(struct xdp_md *ctx, __u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		bpf_tail_call(ctx, &parsers, PARSE_TCP);
		break;
	case IPPROTO_UDP:
		bpf_tail_call(ctx, &parsers, PARSE_UDP);
		break;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_DSTOPTS:
		bpf_tail_call(ctx, &parsers, PARSE_EXTENSION);
		break;
	}
}

static __always_inline int decide(const struct state *state, __be16 port)
{
	struct service service = {
		.port = port,
		.protocol = state->protocol,
		.family = state->family,
	};
	__u64 *packets = bpf_map_lookup_elem(&services, &service);

	if (!packets)
		return XDP_DROP;
	*packets += 1;
	return XDP_PASS;
}

SEC("xdp")
int xdp_tailparse(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct state *state = get_state();
	__be16 proto;

	if (!state)
		return XDP_ABORTED;
	__builtin_memset(state, 0, sizeof(*state));
	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;

	proto = eth->h_proto;
	state->offset = sizeof(*eth);
	if (proto == bpf_htons(ETH_P_8021Q)) {
		struct vlan_hdr *vlan = (void *)(eth + 1);

		if ((void *)(vlan + 1) > data_end)
			return XDP_DROP;
		state->vlan = bpf_ntohs(vlan->tci) & 0xfff;
		state->offset += sizeof(*vlan);
		proto = vlan->proto;
	}

	if (proto == bpf_htons(ETH_P_IP))
		bpf_tail_call(ctx, &parsers, PARSE_IPV4);
	else if (proto == bpf_htons(ETH_P_IPV6))
		bpf_tail_call(ctx, &parsers, PARSE_IPV6);
	/* Not IP. */
	return XDP_PASS;
}

SEC("xdp")
int parse_ipv4(struct xdp_md *ctx)
{
	struct state *state = get_state();
	struct iphdr *ip;

	if (!state)
		return XDP_ABORTED;
	if (!header(ctx, state, sizeof(*ip), (void **)&ip) || ip->ihl < 5)
		return XDP_DROP;
	state->family = 4;
	state->protocol = ip->protocol;
	state->offset += ip->ihl * 4;
	state->headers++;
	/* Fragments but the first one have no ports. */
	if (ip->frag_off & bpf_htons(IP_OFFSET))
		return XDP_DROP;
	next(ctx, ip->protocol);
	return decide(state, 0);
}

SEC("xdp")
int parse_ipv6(struct xdp_md *ctx)
{
	struct state *state = get_state();
	struct ipv6hdr *ip6;

	if (!state)
		return XDP_ABORTED;
	if (!header(ctx, state, sizeof(*ip6), (void **)&ip6))
		return XDP_DROP;
	state->family = 6;
	state->protocol = ip6->nexthdr;
	state->offset += sizeof(*ip6);
	state->headers++;
	next(ctx, ip6->nexthdr);
	return decide(state, 0);
}

/* Calls itself while there are more of them. */
SEC("xdp")
int parse_extension(struct xdp_md *ctx)
{
	struct state *state = get_state();
	struct option_hdr *option;
	struct frag_hdr *frag;

	if (!state)
		return XDP_ABORTED;
	if (!header(ctx, state, 8, (void **)&option))
		return XDP_DROP;
	if (state->protocol == IPPROTO_FRAGMENT) {
		frag = (void *)option;
		if (frag->frag_off & bpf_htons(0xfff8))
			return XDP_DROP;
		state->fragment = 1;
		state->offset += sizeof(*frag);
	} else {
		state->offset += (option->len + 1) * 8;
	}
	state->protocol = option->nexthdr;
	state->headers++;
	next(ctx, option->nexthdr);
	return decide(state, 0);
}

SEC("xdp")
int parse_tcp(struct xdp_md *ctx)
{
	struct state *state = get_state();
	struct tcphdr *tcp;

	if (!state)
		return XDP_ABORTED;
	if (!header(ctx, state, sizeof(*tcp), (void **)&tcp) || tcp->doff < 5)
		return XDP_DROP;
	/* Neither Christmas trees nor packets without any flag. */
	if ((tcp->fin && tcp->syn) || !(tcp->syn || tcp->ack || tcp->rst))
		return XDP_DROP;
	return decide(state, tcp->dest);
}

SEC("xdp")
int parse_udp(struct xdp_md *ctx)
{
	struct state *state = get_state();
	struct udphdr *udp;

	if (!state)
		return XDP_ABORTED;
	if (!header(ctx, state, sizeof(*udp), (void **)&udp) || bpf_ntohs(udp->len) < sizeof(*udp))
		return XDP_DROP;
	return decide(state, udp->dest);
}

char _license[] SEC("license") = "Dual MIT/GPL";
