// expect: packet access out of bounds at 17
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A length in 32 bits proves as little about the pointer as one in 64. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	int len = data_end - data;

	if (len < 14)
		return XDP_DROP;
	return *(__u8 *)(data + 13);
}

char _license[] SEC("license") = "Dual MIT/GPL";
