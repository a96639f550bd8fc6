// accept: a variable index into an array on the stack, written and read
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u8 bytes[16] = {};

	if (data + 14 > data_end)
		return XDP_DROP;
	bytes[*(__u8 *)(data + 5) & 15] = 1;
	return bytes[*(__u8 *)(data + 11) & 15] ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
