// accept: a loop whose turns and steps the packet decides: IPv4 options up to the end of the list
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__u8 *option;

	if ((void *)(ip + 1) > data_end)
		return XDP_DROP;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	option = (void *)(ip + 1);
#pragma clang loop unroll(disable)
	for (int i = 0; i < 10; i++) {
		if ((void *)(option + 2) > data_end)
			return XDP_DROP;
		if (option[0] == 0)
			return XDP_PASS;
		if (option[0] == 1)
			option += 1;
		else
			option += option[1] & 63;
	}
	return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
