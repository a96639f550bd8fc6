// accept: two paths bring different constants to one packet access; the check covers both
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 offset = 14;
	__u8 *byte;

	if (data + 14 > data_end)
		return XDP_DROP;
	if (*(__u16 *)(data + 12) == bpf_htons(0x8100))
		offset = 18;
	asm volatile("" : "+r"(offset));
	byte = data + offset;
	if ((void *)(byte + 1) > data_end)
		return XDP_DROP;
	return *byte >> 4 == 4 ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
