// expect: jump at 12
// kernel: jump out of range
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A jump leaves the program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r0 = 2");
	asm volatile("if r0 == 2 goto +40");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
