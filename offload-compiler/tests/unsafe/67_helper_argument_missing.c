// expect: r2 at 11
// kernel: R2 !read_ok
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* r2, the second argument, was never written. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("call %[head]" : : [head]"i"(BPF_FUNC_xdp_adjust_head));
	asm volatile("r0 = 2");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
