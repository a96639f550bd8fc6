// expect: data_end at 17
// kernel: pointer arithmetic on pkt_end prohibited
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* data_end is for comparing only; nothing may be added to it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u8 *last = data_end;

	if (data + 1 > data_end)
		return XDP_DROP;
	asm volatile("%0 += -1" : "+r"(last));
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
