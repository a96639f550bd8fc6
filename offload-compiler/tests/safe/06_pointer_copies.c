// accept: a check of one pointer serves its copies, also those with an offset of their own
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u8 *first = data, *copy = data + 4, *other;

	asm volatile("%0 = %1" : "=r"(other) : "r"(copy));
	if ((void *)(first + 20) > data_end)
		return XDP_DROP;
	return copy[15] == other[-4] ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
