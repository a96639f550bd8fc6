// expect: not a pointer at 21
// kernel: invalid mem access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A packet pointer on the stack dies with bpf_xdp_adjust_head too. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r6 = r1");
	asm volatile("r2 = *(u32 *)(r1 + 4)");
	asm volatile("r3 = *(u32 *)(r1 + 0)");
	asm volatile("r4 = r3");
	asm volatile("r4 += 14");
	asm volatile("if r4 > r2 goto +4");
	asm volatile("*(u64 *)(r10 - 8) = r3");
	asm volatile("r2 = 4");
	asm volatile("call %[head]" : : [head]"i"(BPF_FUNC_xdp_adjust_head));
	asm volatile("r3 = *(u64 *)(r10 - 8)");
	asm volatile("r0 = *(u8 *)(r3 + 0)");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
