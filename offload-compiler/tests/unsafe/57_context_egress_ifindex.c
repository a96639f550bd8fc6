// expect: context at 11
// kernel: invalid bpf_context access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Only programs in a device map have an egress port. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return ctx->egress_ifindex == 1 ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
