// expect: exit at 11
// kernel: last insn is not an exit
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The last instruction is neither exit nor a jump. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r0 = 2");
}

char _license[] SEC("license") = "Dual MIT/GPL";
