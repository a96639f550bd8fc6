// expect: OW0408 at 24
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* 600 calls of bpf_loop, whose callbacks must be inlined. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static int each(__u32 index, void *rounds)
{
	*(__u32 *)rounds += index;
	return 0;
}

#define ONE bpf_loop(2, each, &rounds, 0);
#define TEN ONE ONE ONE ONE ONE ONE ONE ONE ONE ONE
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 rounds = 0;

	/* All on one line, which the message names. */
	HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
	return rounds > 600 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
