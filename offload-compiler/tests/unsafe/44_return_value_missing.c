// expect: r0 at 11
// kernel: R0 !read_ok
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The program ends without a return value. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
