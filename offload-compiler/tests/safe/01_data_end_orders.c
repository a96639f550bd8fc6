// accept: data_end on either side of all four comparisons, in both senses; each proves one byte more, which is read
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile(
		"r2 = *(u32 *)(r1 + 4)\n"
		"r1 = *(u32 *)(r1 + 0)\n"
		"r0 = 1\n"
		"r3 = r1\n"
		"r3 += 1\n"
		"if r3 > r2 goto 9f\n"
		"r0 = *(u8 *)(r1 + 0)\n"
		"r3 = r1\n"
		"r3 += 2\n"
		"if r2 < r3 goto 9f\n"
		"r0 = *(u8 *)(r1 + 1)\n"
		"r3 = r1\n"
		"r3 += 2\n"
		"if r3 >= r2 goto 9f\n"
		"r0 = *(u8 *)(r1 + 2)\n"
		"r3 = r1\n"
		"r3 += 3\n"
		"if r2 <= r3 goto 9f\n"
		"r0 = *(u8 *)(r1 + 3)\n"
		"r3 = r1\n"
		"r3 += 5\n"
		"if r3 <= r2 goto 1f\n"
		"goto 9f\n"
		"1: r0 = *(u8 *)(r1 + 4)\n"
		"r3 = r1\n"
		"r3 += 6\n"
		"if r2 >= r3 goto 2f\n"
		"goto 9f\n"
		"2: r0 = *(u8 *)(r1 + 5)\n"
		"r3 = r1\n"
		"r3 += 6\n"
		"if r3 < r2 goto 3f\n"
		"goto 9f\n"
		"3: r0 = *(u8 *)(r1 + 6)\n"
		"r3 = r1\n"
		"r3 += 7\n"
		"if r2 > r3 goto 4f\n"
		"goto 9f\n"
		"4: r0 = *(u8 *)(r1 + 7)\n"
		"9: r0 &= 1\n"
		"r0 += 1\n"
		"exit\n"
	);
}

char _license[] SEC("license") = "Dual MIT/GPL";
