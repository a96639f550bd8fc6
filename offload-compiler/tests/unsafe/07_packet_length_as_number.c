// expect: packet access out of bounds at 18
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The length is compared as a number, which proves nothing about the pointer. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	long len = data_end - data;

	asm volatile("" : "+r"(len));
	if (len < 14)
		return XDP_DROP;
	return *(__u8 *)(data + 13);
}

char _license[] SEC("license") = "Dual MIT/GPL";
