// expect: not a pointer at 20
// kernel: invalid mem access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* bpf_xdp_adjust_head moves the packet: pointers from before it are dead. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, 4))
		return XDP_DROP;
	eth->h_proto = 0;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
