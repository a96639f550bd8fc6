// accept: a callback counts in the context and stops early
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sum {
	__u32 limit, total;
};

static long step(__u64 index, void *context)
{
	struct sum *sum = context;

	sum->total += index;
	return index >= sum->limit;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct sum sum = {};

	if (data + 20 > end)
		return XDP_DROP;
	sum.limit = *(__u8 *)data;
	bpf_loop(1000, step, &sum, 0);
	return sum.total & 1 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
