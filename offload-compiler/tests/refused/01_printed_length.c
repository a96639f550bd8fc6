// expect: OW0402 at 12
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Looks at the length of a printed line with a text in it, which is made on the host. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	static const char format[] = "queue %s", name[] = "first";
	return bpf_trace_printk(format, sizeof(format), name) > 7 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
