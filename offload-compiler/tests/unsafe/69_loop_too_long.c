// expect: instructions at 13
// kernel: program is too large
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The loop ends, but only after more than a million instructions. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u64 turns = 0;

	while (turns < 1000000) asm volatile("%0 += 1" : "+r"(turns));
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
