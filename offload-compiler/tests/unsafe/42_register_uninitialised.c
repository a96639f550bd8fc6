// expect: r9 at 11
// kernel: R9 !read_ok
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* r9 was never written. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r0 = r9");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
