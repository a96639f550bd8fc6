// expect: nothing is compared with data on this path at 16
// kernel: outside of the packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Metadata ends at data, not at data_end. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 *meta = (void *)(long)ctx->data_meta;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(meta + 1) > end)
		return XDP_DROP;
	return *meta & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
