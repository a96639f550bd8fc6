// accept: what was left of a pointer is overwritten before it is read, and what was written beside it is a number
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile(
		"r1 = *(u32 *)(r1 + 0)\n"
		"*(u64 *)(r10 - 8) = r1\n"
		"w2 = 1\n"
		"*(u32 *)(r10 - 4) = w2\n"
		"r0 = *(u32 *)(r10 - 4)\n"
		"*(u32 *)(r10 - 8) = w2\n"
		"r3 = *(u32 *)(r10 - 8)\n"
		"r0 += r3\n"
		"exit\n");
}

char _license[] SEC("license") = "Dual MIT/GPL";
