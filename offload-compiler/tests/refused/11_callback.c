// expect: OW0328 at 19
// kernel: callback
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Makes a tail call in a function that a helper calls back. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

static long step(__u64 index, void *context)
{
	struct xdp_md **ctx = context;

	bpf_tail_call(*ctx, &programs, 0);
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct xdp_md *context = ctx;

	bpf_loop(10, step, &context, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
