// expect: infinite loop at 11
// kernel: infinite loop detected
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Nothing changes from turn to turn. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	for (;;) asm volatile("r0 = 0" : : : "r0");
}

char _license[] SEC("license") = "Dual MIT/GPL";
