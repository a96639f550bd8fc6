// A pointer into the packet or NULL: compared with NULL and with the packet's end, whichever it is.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { CHECKED, BOUND, REACHED, LATE };

// for i in 0..4: CHECKED key=i
// for i in 0..4: BOUND key=i
// for i in 0..4: REACHED key=i
// for i in 0..4: LATE key=i
// packet: CHECKED key=2 length=64
// packet: CHECKED key=2 length=80 u32@68=77
// packet: BOUND key=2 length=80
// packet: REACHED key=2 length=80
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct request *r = data;
	void *at = 0;

	if (outside(r, ctx))
		return XDP_DROP;
	if (r->key == 1) {
		at = data + 36;
		barrier_var(at);
	} else if (r->key == 2) {
		at = data + 68;
		barrier_var(at);
	}
	switch (r->op) {
	case CHECKED:
		if (!at)
			return XDP_TX;
		if (at + 4 > end)
			return XDP_ABORTED;
		r->result = *(__u32 *)at;
		return XDP_PASS;
	case BOUND:
		/* Null is below the end. */
		r->result = at > end;
		APART("bound");
		r->seen = at >= end;
		return XDP_PASS;
	case REACHED:
		if (at < end)
			return XDP_TX;
		return XDP_PASS;
	case LATE:
		r->result = at != 0;
		if (at && at + 1 <= end)
			r->seen = *(__u8 *)at;
		return XDP_PASS;
	}
	return XDP_ABORTED;
}

LICENSE;
