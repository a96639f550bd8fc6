// accept: a packet pointer that moves on by a constant in a loop: MPLS labels
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 *label = data + 14;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 8; i++) {
		if ((void *)(label + 1) > data_end)
			return XDP_DROP;
		if (*label & bpf_htonl(0x100))
			return XDP_PASS;
		label++;
	}
	return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
