// expect: pointer at 13
// kernel: invalid size of register fill
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Half of a spilled pointer is read. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r1 = *(u32 *)(r1 + 0)");
	asm volatile("*(u64 *)(r10 - 8) = r1");
	asm volatile("r0 = *(u32 *)(r10 - 8)");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
