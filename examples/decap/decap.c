// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Takes the outer IPv4 header off tunnelled packets (IPv4 or IPv6 in IPv4)
 * and hands them to the host. Everything else goes to the host as it is.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define IP_MF     0x2000
#define IP_OFFSET 0x1fff

SEC("xdp")
int xdp_decap(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data, saved;
	struct iphdr *outer;
	__u32 len;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;

	outer = (void *)(eth + 1);
	if ((void *)(outer + 1) > data_end)
		return XDP_DROP;
	len = outer->ihl * 4;
	if (len < sizeof(*outer))
		return XDP_DROP;
	/* The host puts fragments together first. */
	if (outer->frag_off & bpf_htons(IP_MF | IP_OFFSET))
		return XDP_PASS;

	saved = *eth;
	switch (outer->protocol) {
	case IPPROTO_IPIP:
		break;
	case IPPROTO_IPV6:
		saved.h_proto = bpf_htons(ETH_P_IPV6);
		break;
	default:
		return XDP_PASS;
	}

	/* Fails if less than an Ethernet header would be left. */
	if (bpf_xdp_adjust_head(ctx, len))
		return XDP_DROP;

	data_end = (void *)(long)ctx->data_end;
	data = (void *)(long)ctx->data;
	eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	*eth = saved;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
