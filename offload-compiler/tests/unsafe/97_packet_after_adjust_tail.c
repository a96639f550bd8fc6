// expect: used after the packet moved at 18
// kernel: invalid mem access 'scalar'
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The byte may have been cut off. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(data + 20) > end)
		return XDP_DROP;
	if (bpf_xdp_adjust_tail(ctx, -4))
		return XDP_DROP;
	return data[19] & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
