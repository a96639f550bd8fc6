// Tail calls in a chain: up to 33 of them, then the call does nothing; the count starts anew with each packet.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { CHAIN };

/* Each program of the pair counts in result and goes to the other until value is reached. */
// run: --prog ping
// packet: CHAIN value=0
// packet: CHAIN value=1
// packet: CHAIN value=2
// packet: CHAIN value=32
// packet: CHAIN value=33
// packet: CHAIN value=34
// packet: CHAIN value=1000
// packet: CHAIN value=33
// packet: CHAIN value=3
int ping(struct xdp_md *ctx);
int pong(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, int(void *));
} pair SEC(".maps") = { .values = { [0] = (void *)&ping, [1] = (void *)&pong } };

SEC("xdp")
int ping(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	if ((__u64)r->result >= r->value)
		return XDP_PASS;
	r->result++;
	bpf_tail_call(ctx, &pair, 1);
	r->result--;
	r->seen = 1;
	return XDP_DROP;
}

SEC("xdp")
int pong(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	if ((__u64)r->result >= r->value)
		return XDP_TX;
	r->result++;
	bpf_tail_call(ctx, &pair, 0);
	r->result--;
	r->seen = 2;
	return XDP_DROP;
}

LICENSE;
