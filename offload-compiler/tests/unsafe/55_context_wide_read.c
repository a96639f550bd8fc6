// expect: context at 11
// kernel: invalid bpf_context access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Fields of struct xdp_md are read by their own 4 bytes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r0 = *(u64 *)(r1 + 0)");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
