// expect: OW0319 at 12
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Asks for the number of the memory node. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>


SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return bpf_get_numa_node_id() & 1 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
