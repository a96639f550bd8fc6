// expect: jump at 12
// kernel: jump into the middle of ldimm64
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A jump lands inside a 16-byte instruction. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r0 = 2");
	asm volatile("if r0 == 2 goto +1\nr1 = 0x1122334455667788 ll");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
