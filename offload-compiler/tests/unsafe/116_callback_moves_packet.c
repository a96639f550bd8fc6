// expect: used after the packet moved at 23
// kernel: invalid mem access 'scalar'
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The callback moves the packet under the pointer. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static long step(__u64 index, void *context)
{
	return bpf_xdp_adjust_head(*(struct xdp_md **)context, 1) != 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct xdp_md *context = ctx;

	if ((void *)(data + 1) > end)
		return XDP_DROP;
	bpf_loop(2, step, &context, 0);
	return *data & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
