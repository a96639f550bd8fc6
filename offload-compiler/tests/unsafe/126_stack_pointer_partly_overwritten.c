// expect: part of a pointer at 16
// kernel: invalid mem access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A byte of a spilled packet pointer is overwritten: what is filled is neither pointer nor number. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r2 = *(u32 *)(r1 + 4)");
	asm volatile("r1 = *(u32 *)(r1 + 0)");
	asm volatile("*(u64 *)(r10 - 8) = r1");
	asm volatile("r0 = 0");
	asm volatile("*(u8 *)(r10 - 5) = r0");
	asm volatile("r3 = *(u64 *)(r10 - 8)");
	asm volatile("r4 = r3");
	asm volatile("r4 += 1");
	asm volatile("if r4 > r2 goto +1");
	asm volatile("r0 = *(u8 *)(r3 + 0)");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
