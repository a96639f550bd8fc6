// accept: functions fill and read variables of their caller
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct view {
	__u64 a, b;
	__u32 len;
};

static __attribute__((noinline)) void fill(struct view *view, __u64 a, __u64 b)
{
	view->a = a;
	view->b = b + view->len;
}

static __attribute__((noinline)) __u64 sum(const struct view *view)
{
	return view->a * 3 + view->b;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct view view = { .len = 3 };

	if (data + 20 > end)
		return XDP_DROP;
	fill(&view, *(__u8 *)data, *(__u8 *)(data + 1));
	return sum(&view) & 1 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
