// expect: packet access out of bounds at 21
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The check is made on some paths, the access on others. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	int checked = 0;

	if (ctx->rx_queue_index == 0) {
		if (data + 14 > data_end)
			return XDP_DROP;
		checked = 1;
	}
	if (ctx->ingress_ifindex == 1)
		return *(__u8 *)(data + 13);
	return checked ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
