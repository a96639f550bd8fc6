// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A callback and global data, without maps that need a file descriptor: the kernel takes it only with types of functions. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static long step(__u32 index, void *context)
{
	*(__u64 *)context += index;
	return 0;
}

SEC("xdp")
int xdp_sum(struct xdp_md *ctx)
{
	__u64 sum = 0;

	bpf_loop(10, step, &sum, 0);
	return sum == 45 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
