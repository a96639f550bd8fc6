// expect: OW0328 at 18
// kernel: missing btf func_info
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Gives a function to a helper, and calls it too. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) long step(__u64 index, void *context)
{
	asm volatile("" : "+r"(index));
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	step(ctx->rx_queue_index, 0);
	bpf_loop(10, step, 0, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
