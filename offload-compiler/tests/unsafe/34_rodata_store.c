// expect: read-only at 13
// kernel: write into map forbidden
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* .rodata is frozen: a program must not write to it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static const volatile __u32 limit = 16;

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	*(volatile __u32 *)&limit = 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
