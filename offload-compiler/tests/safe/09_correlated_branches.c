// accept: a flag says whether the longer check was made; the access asks the flag
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 tagged = 0;

	if (data + 14 > data_end)
		return XDP_DROP;
	if (*(__u16 *)(data + 12) == bpf_htons(0x8100)) {
		if (data + 18 > data_end)
			return XDP_DROP;
		tagged = 1;
	}
	asm volatile("" : "+r"(tagged));
	if (tagged)
		return *(__u16 *)(data + 16) == bpf_htons(0x0800) ? XDP_TX : XDP_PASS;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
