// expect: packet access out of bounds at 21
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The offset may pass 65535 bytes: the kernel believes no check that far out. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u8 *byte;

	if (data + 2 > data_end)
		return XDP_DROP;
	byte = data + *(__u16 *)data;
	byte += 1;
	if ((void *)(byte + 1) > data_end)
		return XDP_DROP;
	return *byte;
}

char _license[] SEC("license") = "Dual MIT/GPL";
