// What a tail call keeps: packet, metadata and its limits, map values; what it does not keep: the caller's stack, also with a subprogram before it.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { PLAIN, TRIM, META, HEAD_TWICE };

// run: --prog first
// packet: PLAIN value=5
// packet: TRIM value=5 length=100
// packet: META value=5
// packet: HEAD_TWICE value=5
// packet: HEAD_TWICE value=5 length=200 fill=7
int second(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, int(void *));
} programs SEC(".maps") = { .values = { [0] = (void *)&second } };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u64);
	__type(value, __u64);
} kept SEC(".maps");

SEC("xdp")
int second(struct xdp_md *ctx)
{
	__u64 stack[4] = {}, *found;
	__u8 *data = (void *)(long)ctx->data;
	__u32 *meta = (void *)(long)ctx->data_meta;

	if ((void *)(data + 14) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	if ((void *)(meta + 1) <= (void *)data)
		*meta += 1;
	stack[1] = (long)ctx->data_end - (long)ctx->data;
	stack[2] = ctx->ingress_ifindex;
	stack[3] = 1;
	found = bpf_map_lookup_elem(&kept, &stack[3]);
	if (found)
		stack[0] = *found;
	bpf_map_update_elem(&kept, &stack[2], &stack[1], BPF_ANY);
	if (stack[0] != 5)
		return XDP_ABORTED;
	if (bpf_xdp_adjust_head(ctx, -200))
		return XDP_DROP;
	return XDP_TX;
}

static __noinline __u64 fill(__u64 value)
{
	volatile __u64 stack[8];
	__u64 sum = 0;

	for (int i = 0; i < 8; i++)
		stack[i] = value;
	for (int i = 0; i < 8; i++)
		sum += stack[i];
	return sum / 8;
}

SEC("xdp")
int first(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 key = 1, value;
	__u32 op;

	if (outside(r, ctx))
		return XDP_DROP;
	op = r->op;
	value = fill(r->value);
	bpf_map_update_elem(&kept, &key, &value, BPF_ANY);
	switch (op) {
	case TRIM:
		if (bpf_xdp_adjust_tail(ctx, -36))
			return XDP_ABORTED;
		break;
	case META: {
		__u32 *meta;

		if (bpf_xdp_adjust_meta(ctx, -8))
			return XDP_ABORTED;
		meta = (void *)(long)ctx->data_meta;
		if ((void *)(meta + 2) > (void *)(long)ctx->data)
			return XDP_ABORTED;
		meta[0] = 0x11111110;
		meta[1] = 0x22222222;
		break;
	}
	case HEAD_TWICE:
		if (bpf_xdp_adjust_head(ctx, -17))
			return XDP_ABORTED;
		break;
	}
	bpf_tail_call(ctx, &programs, 0);
	return XDP_PASS;
}

LICENSE;
