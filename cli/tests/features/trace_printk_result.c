// What bpf_trace_printk returns: the length of the line.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { PLAIN, DECIMAL };

// packet: PLAIN
// packet: DECIMAL value=5
// packet: DECIMAL value=-5
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case PLAIN:
		r->result = bpf_printk("nothing to add");
		APART("1");
		break;
	case DECIMAL:
		r->result = bpf_printk("%d %u %i", (int)r->value, (__u32)r->value, (int)r->value);
		APART("2");
		break;
	}
	return XDP_PASS;
}

LICENSE;
