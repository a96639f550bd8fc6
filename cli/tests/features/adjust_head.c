// bpf_xdp_adjust_head: down to the headroom of 216 bytes, up to 14 bytes of frame, several moves, bytes that were hidden and come back.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { ONE, TWO, WRITE, CONSTANT };

/* value is the first move, more0 the second one; the move is an int: its high half is cut. */
// packet: ONE value=0
// packet: ONE value=-1
// packet: ONE value=-14
// packet: ONE value=-216
// packet: ONE value=-217
// packet: ONE value=-256
// packet: ONE value=1
// packet: ONE value=49
// packet: ONE value=50
// packet: ONE value=51
// packet: ONE value=64
// packet: ONE value=65
// packet: ONE value=100 length=100 fill=ramp
// packet: ONE value=86 length=100 fill=ramp
// packet: ONE value=0x7fffffff
// packet: ONE value=-2147483648
// packet: ONE value=0x100000004
// packet: ONE value=0xfffffffffffffffc
// packet: ONE value=-20 length=3520 fill=ramp
// packet: ONE value=3506 length=3520 fill=ramp
// packet: ONE value=3507 length=3520 fill=ramp
// packet: TWO value=-8 more0=-208 fill=ramp
// packet: TWO value=-8 more0=-209
// packet: TWO value=40 more0=-40 fill=ramp
// packet: TWO value=40 more0=-256 fill=ramp
// packet: TWO value=40 more0=-257 fill=ramp
// packet: TWO value=-216 more0=216
// packet: TWO value=50 more0=1
// packet: TWO value=50 more0=-5
// packet: TWO value=65 more0=3
// packet: WRITE value=-20
// packet: WRITE value=20 fill=ramp
// packet: WRITE value=-3 length=77 fill=ramp
// packet: CONSTANT
// packet: CONSTANT length=120 fill=ramp
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	int first, second, result;
	__u32 op;
	__u8 *data;

	if (outside(r, ctx))
		return XDP_DROP;
	op = r->op;
	first = r->value;
	second = r->more[0];
	if (op == CONSTANT) {
		result = bpf_xdp_adjust_head(ctx, -(int)sizeof(*r));
		if (result)
			return XDP_ABORTED;
		r = request(ctx);
		if (outside(r, ctx))
			return XDP_DROP;
		r->result = result;
		r->more[0] = 0x0102030405060708;
		return XDP_TX;
	}
	result = bpf_xdp_adjust_head(ctx, first);
	if (op == ONE)
		return result ? 1000 - result : XDP_PASS;
	if (op == TWO) {
		result = (-result) << 8;
		result -= bpf_xdp_adjust_head(ctx, second);
		return 1000 + result;
	}
	data = (void *)(long)ctx->data;
	if ((void *)(data + 15) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	data[0] = 0xaa;
	data[14] = 0xbb;
	return XDP_PASS;
}

LICENSE;
