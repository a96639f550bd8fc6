// accept: room is made in front with bpf_xdp_adjust_head, checked anew and written: a VLAN tag is pushed
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data, saved;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	saved = *eth;
	if (bpf_xdp_adjust_head(ctx, -4))
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) + 4 > (void *)(long)ctx->data_end)
		return XDP_DROP;
	__builtin_memcpy(eth, &saved, 12);
	eth->h_proto = bpf_htons(ETH_P_8021Q);
	*(__be16 *)(eth + 1) = bpf_htons(42);
	*((__be16 *)(eth + 1) + 1) = saved.h_proto;
	return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
