// expect: 9999 at 11
// kernel: invalid func
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* There is no helper 9999. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("call 9999");
	asm volatile("r0 = 2");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
