// expect: aligned at 12
// kernel: misaligned stack access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Stack accesses are aligned to their size. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r1 = 7");
	asm volatile("*(u64 *)(r10 - 12) = r1");
	asm volatile("r0 = 2");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
