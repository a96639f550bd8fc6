// expect: context at 13
// kernel: expected=ctx
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The first argument is not the context. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 not_ctx = 0;

	return bpf_xdp_adjust_head((void *)&not_ctx, 4) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
