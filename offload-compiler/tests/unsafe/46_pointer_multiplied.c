// expect: arithmetic at 12
// kernel: operator prohibited
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A pointer is multiplied. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r1 = *(u32 *)(r1 + 0)");
	asm volatile("r1 *= 2");
	asm volatile("r0 = 2");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
