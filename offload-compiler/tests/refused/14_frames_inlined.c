// expect: OW0407 at 20
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* An address far down the stack is left in an argument register: the inliner counts it, the kernel does not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((naked, noinline, used)) int inner(void)
{
	asm volatile("*(u64 *)(r10 - 16) = r1; r0 = 2; exit");
}

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r5 = r10");
	asm volatile("r5 += -512");
	asm volatile("call 8");
	asm volatile("r1 = 1");
	asm volatile("call inner");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
