// bpf_trace_printk: formats, three arguments, the return value.
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
		r->result = bpf_printk("nothing to add");
		break;
	case DECIMAL:
		r->result = bpf_printk("%d %u %i", (int)r->value, (__u32)r->value, (int)r->value);
		break;
	case HEX:
		r->result = bpf_printk("%x %lx", (__u32)r->value, r->value);
		break;
	case WIDE:
		r->result = bpf_printk("%lld %llu %llx", r->value, r->value, r->value);
		break;
	case THREE:
		r->result = bpf_printk("key %u value %lld flags %llx\n", r->key, r->value, r->flags);
		break;
	case PERCENT:
		r->result = bpf_printk("%d%% of it", (int)r->value);
		break;
	case CHARACTER:
		r->result = bpf_printk("<%c>", (int)r->value);
		break;
	case PADDED:
		r->result = bpf_printk("<%5d> <%04x> <%-4u>", (int)r->value, (__u32)r->value, (__u32)r->value);
		break;
	case TWICE:
		r->result = bpf_printk("first %d", (int)r->value);
		r->seen = bpf_printk("second %d", (int)r->value + 1);
		break;
	}
	return XDP_PASS;
}

LICENSE;
