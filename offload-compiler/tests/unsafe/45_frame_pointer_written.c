// expect: r10 at 11
// kernel: frame pointer is read only
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* r10 is read only. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r10 += -8");
	asm volatile("r0 = 2");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
