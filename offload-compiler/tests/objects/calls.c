// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Subprograms of all kinds, shared by several programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} jumps SEC(".maps");

__u32 seen;

static noinline int leaf(__u32 x)
{
	seen += x;
	return x * 3;
}

static noinline int middle(__u32 x)
{
	return leaf(x) + leaf(x + 1);
}

noinline int shared(__u32 x)
{
	return middle(x) ^ 5;
}

static noinline int never(__u32 x)
{
	return x - seen;
}

noinline int unused(__u32 x)
{
	return never(x) + never(x + 9);
}

static long step(__u32 index, void *context)
{
	*(__u64 *)context += index;
	return 0;
}

SEC("xdp")
int xdp_first(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	return leaf(ctx->ingress_ifindex) + shared(ctx->rx_queue_index);
}

SEC("xdp")
int xdp_second(struct xdp_md *ctx)
{
	__u64 sum = 0;

	bpf_loop(10, step, &sum, 0);
	return shared(sum) & 3;
}

SEC("xdp.frags")
int xdp_alone(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
