// bpf_xdp_adjust_meta: multiples of 4, the headroom, writing and reading metadata, moves of the head behind it.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { ONE, TWO, WRITE, META_HEAD, HEAD_META, META_HEAD_META, META_TAIL, READ_BACK, UNALIGNED };

/* value and more0 are moves. */
// packet: ONE value=0
// packet: ONE value=-4
// packet: ONE value=-1
// packet: ONE value=-2
// packet: ONE value=-3
// packet: ONE value=-5
// packet: ONE value=4
// packet: ONE value=-32
// packet: ONE value=-36
// packet: ONE value=-64
// packet: ONE value=-212
// packet: ONE value=-216
// packet: ONE value=-220
// packet: ONE value=-252
// packet: ONE value=-256
// packet: ONE value=0x7ffffffc
// packet: ONE value=-2147483648
// packet: TWO value=-8 more0=4
// packet: TWO value=-8 more0=8
// packet: TWO value=-8 more0=12
// packet: TWO value=-8 more0=-208
// packet: TWO value=-8 more0=-212
// packet: WRITE value=-4
// packet: WRITE value=-8
// packet: WRITE value=-32
// packet: WRITE value=0
// packet: META_HEAD value=-8 more0=-8
// packet: META_HEAD value=-8 more0=8
// packet: META_HEAD value=-8 more0=-208
// packet: META_HEAD value=-8 more0=-212
// packet: META_HEAD value=-8 more0=50
// packet: META_HEAD value=-8 more0=51
// packet: META_HEAD value=-8 more0=-3
// packet: HEAD_META value=-8 more0=-8
// packet: HEAD_META value=8 more0=-8
// packet: HEAD_META value=-208 more0=-8
// packet: HEAD_META value=-208 more0=-12
// packet: HEAD_META value=-5 more0=-4
// packet: META_HEAD_META value=-8 more0=-16 more1=4
// packet: META_HEAD_META value=-8 more0=-16 more1=-4
// packet: META_HEAD_META value=-12 more0=14 more1=-20
// packet: META_TAIL value=-8 more0=-30
// packet: META_TAIL value=-8 more0=30
// packet: META_TAIL value=-8 more0=4000
// packet: READ_BACK value=-16
// packet: READ_BACK value=-12
// packet: UNALIGNED value=-12
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	int first, second, third, result;
	__u32 op, *meta;
	void *data;

	if (outside(r, ctx))
		return XDP_DROP;
	op = r->op;
	first = r->value;
	second = r->more[0];
	third = r->more[1];
	result = op == HEAD_META ? bpf_xdp_adjust_head(ctx, first) : bpf_xdp_adjust_meta(ctx, first);
	if (op == ONE)
		return 1000 - result;
	result = (-result) << 8;
	if (op == TWO || op == HEAD_META)
		return 1000 + result - bpf_xdp_adjust_meta(ctx, second);
	meta = (void *)(long)ctx->data_meta;
	data = (void *)(long)ctx->data;
	if (op == READ_BACK) {
		__u64 *wide = (void *)meta;

		if ((void *)(meta + 3) > data)
			return XDP_ABORTED;
		meta[0] = 0x11223344;
		meta[1] = meta[0] + 0x01010101;
		meta[2] = *wide >> 16;
		return *(__u16 *)((void *)meta + 3);
	}
	if (op == UNALIGNED) {
		if ((void *)meta + 12 > data)
			return XDP_ABORTED;
		*(__u64 *)((void *)meta + 1) = 0x8877665544332211;
		*(__u16 *)((void *)meta + 9) = 0xaa99;
		*(__u8 *)((void *)meta + 11) = 0xbb;
		return *(__u32 *)((void *)meta + 6);
	}
	if (meta + 2 <= (__u32 *)data) {
		meta[0] = 0x01020304;
		meta[1] = 0x05060708;
	} else if (meta + 1 <= (__u32 *)data) {
		meta[0] = 0xa1b2c3d4;
	} else {
		result |= 0x10000;
	}
	switch (op) {
	case META_HEAD:
	case META_HEAD_META:
		result -= bpf_xdp_adjust_head(ctx, second);
		break;
	case META_TAIL:
		result -= bpf_xdp_adjust_tail(ctx, second);
		break;
	}
	if (op == META_HEAD_META) {
		result <<= 8;
		result -= bpf_xdp_adjust_meta(ctx, third);
	}
	return 1000 + result;
}

LICENSE;
