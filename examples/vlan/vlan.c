// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * VLAN tags come and go. On a trunk port the outer tag is taken off and told to
 * the host in metadata, where a tc program or a driver finds it. On an access
 * port untagged frames get the port's tag and are sent back out.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define VLAN_VID_MASK 0x0fff
#define VLAN_PRIO_SHIFT 13

struct vlan_hdr {
	__be16 tci;
	__be16 proto;
};

enum mode {
	TRUNK,
	ACCESS,
};

struct port {
	__u16 mode;
	__u16 vid;
	__u16 priority;
	__u16 service; /* push a service tag (802.1ad) */
};

/* In front of the frame, on its way to the host. */
struct metadata {
	__u16 vid;
	__u8 priority;
	__u8 tagged;
	__u32 ifindex;
};

struct counters {
	__u64 pushed;
	__u64 popped;
	__u64 passed;
	__u64 dropped;
};

/* By ifindex. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct port);
} ports SEC(".maps");

/* VLANs that may come in on trunks. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u8);
} allowed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counters_of_cpu SEC(".maps");

static __always_inline int is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

/* Takes the outer tag off; the caller has seen that there is one. */
static __always_inline int pop(struct xdp_md *ctx, const struct ethhdr *eth)
{
	const int len = sizeof(struct vlan_hdr);
	struct ethhdr saved = *eth;
	void *data, *data_end;

	saved.h_proto = ((struct vlan_hdr *)(eth + 1))->proto;
	if (bpf_xdp_adjust_head(ctx, len))
		return -1;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + sizeof(saved) > data_end)
		return -1;
	__builtin_memcpy(data, &saved, sizeof(saved));
	return 0;
}

static __always_inline int push(struct xdp_md *ctx, const struct port *port)
{
	const int len = sizeof(struct vlan_hdr);
	void *data, *data_end;
	struct vlan_hdr *vlan;
	struct ethhdr *eth;

	if (bpf_xdp_adjust_head(ctx, -len))
		return -1;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + sizeof(*eth) + len > data_end)
		return -1;
	eth = data;
	__builtin_memmove(eth, data + len, 2 * ETH_ALEN);
	/* The old EtherType stands where the tag's is now. */
	vlan = data + sizeof(*eth);
	vlan->tci = bpf_htons(port->priority << VLAN_PRIO_SHIFT | (port->vid & VLAN_VID_MASK));
	eth->h_proto = port->service ? bpf_htons(ETH_P_8021AD) : bpf_htons(ETH_P_8021Q);
	return 0;
}

static __always_inline int tell(struct xdp_md *ctx, __u16 tci, __u8 tagged)
{
	struct metadata *meta;
	void *data;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*meta)))
		return -1;
	meta = (void *)(long)ctx->data_meta;
	data = (void *)(long)ctx->data;
	if ((void *)(meta + 1) > data)
		return -1;
	meta->vid = tci & VLAN_VID_MASK;
	meta->priority = tci >> VLAN_PRIO_SHIFT;
	meta->tagged = tagged;
	meta->ifindex = ctx->ingress_ifindex;
	return 0;
}

static __always_inline int trunk(struct xdp_md *ctx, struct ethhdr *eth, void *data_end, struct counters *counters)
{
	struct vlan_hdr *vlan = (void *)(eth + 1);
	__u8 *is_allowed;
	__u16 tci = 0;
	__u32 vid = 0;
	int tagged;

	tagged = is_vlan(eth->h_proto);
	if (tagged) {
		if ((void *)(vlan + 1) > data_end)
			goto drop;
		tci = bpf_ntohs(vlan->tci);
		vid = tci & VLAN_VID_MASK;
	}
	is_allowed = bpf_map_lookup_elem(&allowed, &vid);
	if (!is_allowed || !*is_allowed)
		goto drop;
	if (tagged) {
		if (pop(ctx, eth))
			goto drop;
		counters->popped++;
	} else {
		counters->passed++;
	}
	if (tell(ctx, tci, tagged))
		goto drop;
	return XDP_PASS;
drop:
	counters->dropped++;
	return XDP_DROP;
}

static __always_inline int access(struct xdp_md *ctx, struct ethhdr *eth, const struct port *port,
				  struct counters *counters)
{
	/* Hosts on access ports know nothing of VLANs. */
	if (is_vlan(eth->h_proto) || push(ctx, port)) {
		counters->dropped++;
		return XDP_DROP;
	}
	counters->pushed++;
	return XDP_TX;
}

SEC("xdp")
int xdp_vlan(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 ifindex = ctx->ingress_ifindex, zero = 0;
	struct counters *counters;
	struct ethhdr *eth = data;
	struct port *port;

	counters = bpf_map_lookup_elem(&counters_of_cpu, &zero);
	if (!counters)
		return XDP_ABORTED;
	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (!port)
		return XDP_PASS;
	if (port->mode == ACCESS)
		return access(ctx, eth, port, counters);
	return trunk(ctx, eth, data_end, counters);
}

char _license[] SEC("license") = "Dual MIT/GPL";
