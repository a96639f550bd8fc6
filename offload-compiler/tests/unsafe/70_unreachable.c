// expect: unreachable at 13
// kernel: unreachable insn
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* No path leads to the third instruction. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r0 = 2");
	asm volatile("exit");
	asm volatile("r0 = 1");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
