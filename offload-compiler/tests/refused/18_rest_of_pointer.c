// expect: OW0326 at 11
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Reads what is left of a spilled pointer when its upper half is overwritten: other bits on the device than on the host. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile(
		"r1 = *(u32 *)(r1 + 0)\n"
		"*(u64 *)(r10 - 8) = r1\n"
		"w2 = 7\n"
		"*(u32 *)(r10 - 4) = w2\n"
		"r0 = *(u32 *)(r10 - 8)\n"
		"r0 &= 3\n"
		"exit\n");
}

char _license[] SEC("license") = "Dual MIT/GPL";
