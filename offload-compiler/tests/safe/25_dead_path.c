// accept: an access out of bounds stands behind a comparison that is never true
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile(
		"r2 = *(u32 *)(r1 + 0)\n"
		"r3 = 3\n"
		"r0 = 2\n"
		"if r3 == 5 goto 1f\n"
		"exit\n"
		"1: r0 = *(u8 *)(r2 + 0)\n"
		"exit\n"
	);
}

char _license[] SEC("license") = "Dual MIT/GPL";
