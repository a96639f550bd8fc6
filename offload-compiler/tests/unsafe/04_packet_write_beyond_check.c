// expect: packet access out of bounds at 17
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A store goes beyond what the check has proven. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 *word = data;

	if ((void *)(word + 4) > data_end)
		return XDP_DROP;
	word[4] = 0;
	return XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
