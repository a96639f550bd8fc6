// A program array that the program never looks at: its entries are the same everywhere, though a device has no use for them.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { PLAIN };

// run: --prog plain
// packet: PLAIN
// packet: PLAIN
int other(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, int(void *));
} table SEC(".maps") = { .values = { [2] = (void *)&other } };

SEC("xdp")
int plain(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	r->result = 1;
	return XDP_PASS;
}

SEC("xdp")
int other(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &table, 3);
	return XDP_TX;
}

LICENSE;
