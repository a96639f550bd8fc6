// bpf_trace_printk: formats, none to three arguments, several lines of one packet.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { PLAIN, DECIMAL, HEX, WIDE, THREE, PERCENT, CHARACTER, PADDED, TWICE };

// packet: PLAIN
// packet: DECIMAL value=5
// packet: DECIMAL value=-5
// packet: DECIMAL value=0x1ffffffff
// packet: HEX value=0xdeadbeef
// packet: HEX value=0x123456789abcdef0
// packet: WIDE value=0x8000000000000000
// packet: WIDE value=-1
// packet: THREE key=1 value=2 flags=3
// packet: THREE key=0xffffffff value=-1 flags=-1
// packet: PERCENT value=9
// packet: CHARACTER value=0x41
// packet: PADDED value=0x2a
// packet: TWICE value=7
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case PLAIN:
		bpf_printk("nothing to add");
		APART("1");
		break;
	case DECIMAL:
		bpf_printk("%d %u %i", (int)r->value, (__u32)r->value, (int)r->value);
		APART("2");
		break;
	case HEX:
		bpf_printk("%x %lx", (__u32)r->value, r->value);
		APART("3");
		break;
	case WIDE:
		bpf_printk("%lld %llu %llx", r->value, r->value, r->value);
		APART("4");
		break;
	case THREE:
		bpf_printk("key %u value %lld flags %llx\n", r->key, r->value, r->flags);
		APART("5");
		break;
	case PERCENT:
		bpf_printk("%d%% of it", (int)r->value);
		APART("6");
		break;
	case CHARACTER:
		bpf_printk("<%c>", (int)r->value);
		APART("7");
		break;
	case PADDED:
		bpf_printk("<%5d> <%04x> <%-4u>", (int)r->value, (__u32)r->value, (__u32)r->value);
		APART("8");
		break;
	case TWICE:
		bpf_printk("first %d", (int)r->value);
		APART("9");
		bpf_printk("second %d", (int)r->value + 1);
		APART("10");
		break;
	}
	return XDP_PASS;
}

LICENSE;
