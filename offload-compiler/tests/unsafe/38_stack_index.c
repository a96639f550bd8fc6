// expect: stack at 14
// kernel: invalid variable-offset
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The mask lets through 31, the array has 16 bytes and lies at the top of the stack. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u8 bytes[16] = {};
	__u32 index = ctx->rx_queue_index & 31;

	bytes[index] = 1;
	return bytes[ctx->ingress_ifindex & 15] ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
