// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Hands every packet to the host. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
