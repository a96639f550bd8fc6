// expect: OW0405 at 22
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Compares what are pointers on one path and numbers on the other. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u64 data = (__u64)(void *)(long)ctx->data;
	__u64 end = (__u64)(void *)(long)ctx->data_end;
	__u64 from = ctx->rx_queue_index, to = 5;

	asm volatile("" : "+r"(data), "+r"(end));
	if (ctx->ingress_ifindex & 1) {
		from = data;
		to = end;
	}
	/* Keeps clang from comparing in each branch. */
	asm volatile("" : "+r"(from), "+r"(to));
	return from < to ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
