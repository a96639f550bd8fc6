// expect: OW0322 at 16
// kernel: combined stack size
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Two frames of 272 bytes; the kernel refuses that too. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((naked, noinline, used)) int inner(void)
{
	asm volatile("*(u64 *)(r10 - 272) = r1; r0 = 2; exit");
}

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r1 = 1");
	asm volatile("*(u64 *)(r10 - 272) = r1");
	asm volatile("call inner");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
