// expect: r1 at 12
// kernel: R1 !read_ok
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A helper call takes r1 to r5 away. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("call %[cpu]" : : [cpu]"i"(BPF_FUNC_get_smp_processor_id));
	asm volatile("r0 = r1");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
