// expect: OW0401 at 17
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A local function makes a tail call, and its caller looks at what comes back. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

static __attribute__((noinline)) int next(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &programs, 1);
	return XDP_TX;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return next(ctx) == XDP_TX ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
