// A tail call in a local function: where it succeeds, the called program returns to the function's caller; else the function goes on.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { CALL };

// run: --prog entry
// packet: CALL key=0
// packet: CALL key=1
// packet: CALL key=2
int leaf(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, int(void *));
} programs SEC(".maps") = { .values = { [0] = (void *)&leaf } };

SEC("xdp")
int leaf(struct xdp_md *ctx)
{
	return 50;
}

static __noinline int go(struct xdp_md *ctx, __u32 key)
{
	int result = 7;

	bpf_tail_call(ctx, &programs, key);
	barrier_var(result);
	return result;
}

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	int result;

	if (outside(r, ctx))
		return XDP_DROP;
	result = go(ctx, r->key);
	return result + 1000;
}

LICENSE;
