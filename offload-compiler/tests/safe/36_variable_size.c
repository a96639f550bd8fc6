// accept: the packet says how many bytes are loaded, between 1 and 16
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u8 bytes[16] = {};
	__u32 size;

	if (data + 20 > end)
		return XDP_DROP;
	size = *(__u8 *)data & 15;
	if (bpf_xdp_load_bytes(ctx, 2, bytes, size + 1))
		return XDP_DROP;
	bytes[0] ^= bytes[15];
	if (bpf_xdp_store_bytes(ctx, 2, bytes, size + 1))
		return XDP_DROP;
	return bytes[1] & 1 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
