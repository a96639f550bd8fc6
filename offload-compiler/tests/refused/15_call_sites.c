// expect: OW0408 at 16
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* 600 call sites of one function. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((naked, noinline, used)) int inner(void)
{
	asm volatile("r0 = 2; exit");
}

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile(
		".rept 600\n"
		"call inner\n"
		".endr\n"
		"exit\n"
	);
}

char _license[] SEC("license") = "Dual MIT/GPL";
