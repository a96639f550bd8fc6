// expect: packet access out of bounds at 21
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* One variable offset is checked, another is used. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u8 *first, *second;

	if (data + 2 > data_end)
		return XDP_DROP;
	first = data + *(__u8 *)data;
	second = data + *(__u8 *)(data + 1);
	if ((void *)(first + 1) > data_end)
		return XDP_DROP;
	return *second;
}

char _license[] SEC("license") = "Dual MIT/GPL";
