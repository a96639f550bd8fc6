// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Functions without a type, as old compilers and assembly have them: a program, one static function in its section and one in
 * .text, one label that is no function. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

asm(".section xdp,\"ax\",@progbits\n"
    ".globl xdp_untyped\n"
    "xdp_untyped:\n"
    "	r1 = 3\n"
    "	call beside\n"
    "	r1 = r0\n"
    "	call in_text\n"
    "	if r0 > 3 goto label\n"
    "	exit\n"
    "label:\n"
    "	r0 = 1\n"
    "	exit\n"
    "beside:\n"
    "	r0 = r1\n"
    "	r0 += 1\n"
    "	exit\n"
    ".text\n"
    "in_text:\n"
    "	r0 = r1\n"
    "	r0 -= 2\n"
    "	exit\n");

SEC("xdp/typed")
int xdp_typed(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
