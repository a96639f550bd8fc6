// expect: context at 11
// kernel: invalid bpf_context access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* struct xdp_md is read only. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	ctx->rx_queue_index = 3;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
