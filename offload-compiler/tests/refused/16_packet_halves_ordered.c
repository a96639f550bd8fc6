// expect: OW0311 at 15
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Compares the low halves of two packet pointers by their order, which is another where a packet crosses 4 GiB. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 data = ctx->data;
	__u32 data_end = ctx->data_end;

	asm volatile("" : "+r"(data), "+r"(data_end));
	if (data_end > data) {
		asm volatile("# before");
		return XDP_PASS;
	}
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
