// expect: packet access out of bounds at 18
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A variable offset is added after the check; its largest value is not covered. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u8 *byte;

	if (data + 14 > data_end)
		return XDP_DROP;
	byte = data + (*(__u8 *)data & 15);
	return *byte;
}

char _license[] SEC("license") = "Dual MIT/GPL";
