// accept: checks of the form "if it fits, go on", one inside the other
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u8 *byte = data;
	int sum = 0;

	if ((void *)(byte + 4) <= data_end) {
		sum = byte[3];
		if ((void *)(byte + 8) <= data_end) {
			sum += byte[7];
			if (data_end >= (void *)(byte + 16))
				sum += byte[15];
			sum += byte[6];
		}
		sum += byte[2];
	}
	return sum & 1 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
