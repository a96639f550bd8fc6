// expect: something that is not a pointer at 18
// kernel: invalid mem access 'scalar'
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The low half of a packet pointer leads nowhere. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r2 = *(u32 *)(r1 + 0)");
	asm volatile("r3 = *(u32 *)(r1 + 4)");
	asm volatile("r4 = r2");
	asm volatile("r4 += 14");
	asm volatile("r0 = 1");
	asm volatile("if r4 > r3 goto +2");
	asm volatile("w2 = w2");
	asm volatile("r0 = *(u8 *)(r2 + 13)");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
