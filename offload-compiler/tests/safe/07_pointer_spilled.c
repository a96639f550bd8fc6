// accept: a packet pointer is spilled before the check and filled after it
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile(
		"r2 = *(u32 *)(r1 + 4)\n"
		"r3 = *(u32 *)(r1 + 0)\n"
		"*(u64 *)(r10 - 8) = r3\n"
		"*(u64 *)(r10 - 16) = r2\n"
		"r4 = *(u64 *)(r10 - 8)\n"
		"r4 += 14\n"
		"r5 = *(u64 *)(r10 - 16)\n"
		"r0 = 1\n"
		"if r4 > r5 goto 9f\n"
		"r5 = *(u64 *)(r10 - 8)\n"
		"r0 = *(u8 *)(r5 + 13)\n"
		"r0 &= 1\n"
		"r0 += 1\n"
		"9: exit\n"
	);
}

char _license[] SEC("license") = "Dual MIT/GPL";
