// A pointer that may be null, as clang tests it where it can: the low half only. The kernel lets root do so.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { STAMP };

// packet: STAMP value=5
// packet: STAMP length=63
static __always_inline struct request *whole(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	return outside(r, ctx) ? 0 : r;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = whole(ctx);

	if (!r)
		return XDP_DROP;
	r->result = r->value + 1;
	return XDP_PASS;
}

LICENSE;
