// expect: helper at 11
// kernel: cannot use
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* bpf_skb_store_bytes is not for XDP programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("call %[store]" : : [store]"i"(BPF_FUNC_skb_store_bytes));
	asm volatile("r0 = 2");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
