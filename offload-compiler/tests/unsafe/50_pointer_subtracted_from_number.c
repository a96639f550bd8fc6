// expect: arithmetic at 12
// kernel: tried to subtract pointer from scalar
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A pointer is subtracted from a number. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r2 = 4096");
	asm volatile("r2 -= r1");
	asm volatile("r0 = 2");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
