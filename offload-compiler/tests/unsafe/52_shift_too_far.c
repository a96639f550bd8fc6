// expect: shift at 12
// kernel: invalid shift
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A constant shift is not below the width. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r0 = 1");
	asm volatile("r0 <<= 64");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
