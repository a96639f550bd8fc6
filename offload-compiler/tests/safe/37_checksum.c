// accept: sums over nothing, the packet and the stack
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 words[4] = { 1, 2, 3, 4 };
	__s64 sum;

	if (data + 20 > end)
		return XDP_DROP;
	sum = bpf_csum_diff(0, 0, data, 20, 0);
	sum = bpf_csum_diff(words, sizeof(words), 0, 0, sum);
	sum = bpf_csum_diff(words, 8, data, 4, sum);
	return sum & 1 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
