// expect: arithmetic at 12
// kernel: pointer += pointer prohibited
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Two pointers are added. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r2 = r10");
	asm volatile("r2 += r1");
	asm volatile("r0 = 2");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
