// expect: context at 14
// kernel: variable ctx access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The offset into struct xdp_md must be a constant. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r2 = *(u32 *)(r1 + 16)");
	asm volatile("r2 &= 4");
	asm volatile("r1 += r2");
	asm volatile("r0 = *(u32 *)(r1 + 0)");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
