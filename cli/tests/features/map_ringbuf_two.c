// Two records of one ring buffer at the same time, which are read in the order of their places.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { IN_ORDER, OTHER_WAY_ROUND, DISCARD_FIRST, DISCARD_SECOND, TOO_MANY };

// packet: IN_ORDER value=1
// packet: OTHER_WAY_ROUND value=2
// packet: DISCARD_FIRST value=3
// packet: DISCARD_SECOND value=4
// packet: TOO_MANY value=5
// packet: IN_ORDER value=6
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 *first, *second;

	if (outside(r, ctx))
		return XDP_DROP;
	if (r->op == TOO_MANY) {
		first = bpf_ringbuf_reserve(&ring, 3000, 0);
		if (!first)
			return XDP_ABORTED;
		second = bpf_ringbuf_reserve(&ring, 2000, 0);
		if (!second) {
			bpf_ringbuf_discard(first, 0);
			APART("alone");
			return XDP_TX;
		}
		bpf_ringbuf_discard(second, 0);
		APART("second");
		bpf_ringbuf_discard(first, 0);
		APART("first");
		return XDP_PASS;
	}
	first = bpf_ringbuf_reserve(&ring, 16, 0);
	if (!first)
		return XDP_ABORTED;
	second = bpf_ringbuf_reserve(&ring, 8, 0);
	if (!second) {
		bpf_ringbuf_discard(first, 0);
		return XDP_ABORTED;
	}
	first[0] = r->value;
	first[1] = 1;
	second[0] = ~r->value;
	switch (r->op) {
	case IN_ORDER:
		bpf_ringbuf_submit(first, 0);
		APART("first of two");
		bpf_ringbuf_submit(second, 0);
		APART("in order");
		return XDP_PASS;
	case OTHER_WAY_ROUND:
		bpf_ringbuf_submit(second, 0);
		APART("second of two");
		bpf_ringbuf_submit(first, 0);
		APART("other way round");
		return XDP_PASS;
	case DISCARD_FIRST:
		bpf_ringbuf_discard(first, 0);
		bpf_ringbuf_submit(second, 0);
		APART("discard first");
		return XDP_PASS;
	default:
		bpf_ringbuf_discard(second, 0);
		bpf_ringbuf_submit(first, 0);
		APART("discard second");
		return XDP_PASS;
	}
}

LICENSE;
