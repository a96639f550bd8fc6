// accept: a pointer with a variable offset is checked through its copy on the stack
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile(
		"r2 = *(u32 *)(r1 + 4)\n"
		"r3 = *(u32 *)(r1 + 0)\n"
		"r0 = 1\n"
		"r4 = r3\n"
		"r4 += 15\n"
		"if r4 > r2 goto 9f\n"
		"r4 = *(u8 *)(r3 + 14)\n"
		"r4 &= 15\n"
		"r4 <<= 2\n"
		"r3 += r4\n"
		"*(u64 *)(r10 - 24) = r3\n"
		"r5 = *(u64 *)(r10 - 24)\n"
		"r5 += 20\n"
		"if r5 > r2 goto 9f\n"
		"r3 = *(u64 *)(r10 - 24)\n"
		"r0 = *(u32 *)(r3 + 16)\n"
		"r0 &= 1\n"
		"r0 += 1\n"
		"9: exit\n"
	);
}

char _license[] SEC("license") = "Dual MIT/GPL";
