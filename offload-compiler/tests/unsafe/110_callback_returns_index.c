// expect: something else than 0 or 1 at 10
// kernel: At callback return
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A callback returns 0 or 1. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static long step(__u64 index, void *context)
{
	return index;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return bpf_loop(100, step, 0, 0) & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
