// What bpf_trace_printk returns: the length of the line.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { PLAIN, DECIMAL, WIDE, HEX, PADDED, CHARACTER, PERCENT, SIGNED };

// packet: PLAIN
// packet: DECIMAL value=5
// packet: DECIMAL value=-5
// packet: DECIMAL value=0x80000000
// packet: DECIMAL value=999999999
// packet: DECIMAL value=1000000000
// packet: WIDE value=0
// packet: WIDE value=9
// packet: WIDE value=10
// packet: WIDE value=-1
// packet: WIDE value=0x8000000000000000
// packet: WIDE value=0x8ac7230489e80000
// packet: WIDE value=0x8ac7230489e7ffff
// packet: WIDE value=999999999999999999
// packet: WIDE value=1000000000000000000
// packet: HEX value=0
// packet: HEX value=0x10
// packet: HEX value=0xf
// packet: HEX value=0xfffffffff
// packet: HEX value=0x1000000000000000
// packet: HEX value=0xfedcba9876543210
// packet: PADDED value=7
// packet: PADDED value=1234567
// packet: PADDED value=-1234567
// packet: CHARACTER value=0x41
// packet: PERCENT value=33
// packet: SIGNED value=5
// packet: SIGNED value=-5
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
	case WIDE:
		r->result = bpf_printk("%lld %llu", r->value, r->value);
		APART("3");
		break;
	case HEX:
		r->result = bpf_printk("%x %llX", (__u32)r->value, r->value);
		APART("4");
		break;
	case PADDED:
		r->result = bpf_printk("<%5d> <%08x> <%-4u>", (int)r->value, (__u32)r->value, (__u32)r->value);
		APART("5");
		break;
	case CHARACTER:
		r->result = bpf_printk("<%c> <%3c>", (int)r->value, (int)r->value);
		APART("6");
		break;
	case PERCENT:
		r->result = bpf_printk("%d%% of it", (int)r->value);
		APART("7");
		break;
	case SIGNED:
		r->result = bpf_printk("%+d % d %+ld", (int)r->value, (int)r->value, r->value);
		APART("8");
		break;
	}
	return XDP_PASS;
}

LICENSE;
