// expect: opcode at 12
// kernel: unknown opcode
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* No instruction has opcode 0xff. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile("r0 = 2");
	asm volatile(".8byte 0x00000000000000ff");
	asm volatile("exit");
}

char _license[] SEC("license") = "Dual MIT/GPL";
