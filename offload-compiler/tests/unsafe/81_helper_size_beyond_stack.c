// expect: stack access out of bounds at 15
// kernel: invalid write to stack R3
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* 17 bytes are written into 16. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	char bytes[16] __attribute__((aligned(16)));
	char *end = bytes + 8;

	asm volatile("" : "+r"(end));
	bpf_xdp_load_bytes(ctx, 0, (void *)0 + (long)end, 520);
	return bytes[0];
}

char _license[] SEC("license") = "Dual MIT/GPL";
