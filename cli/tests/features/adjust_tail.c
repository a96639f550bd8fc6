// bpf_xdp_adjust_tail: down to 14 bytes, up to the buffer's end, new bytes are zero, several moves.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { ONE, TWO, AFTER_HEAD, WRITE_THEN_GROW };

/* value is the first move, more0 the second one. */
// packet: ONE value=0 length=100 fill=ramp
// packet: ONE value=-1 length=100 fill=ramp
// packet: ONE value=-36 length=100 fill=ramp
// packet: ONE value=-50
// packet: ONE value=-51
// packet: ONE value=-64
// packet: ONE value=-65
// packet: ONE value=1
// packet: ONE value=100 fill=255
// packet: ONE value=3456
// packet: ONE value=3457
// packet: ONE value=10000
// packet: ONE value=0x7fffffff
// packet: ONE value=-2147483648
// packet: ONE value=0x100000004
// packet: ONE value=1 length=3520
// packet: ONE value=-3506 length=3520 fill=ramp
// packet: ONE value=-3507 length=3520 fill=ramp
// packet: TWO value=-10 more0=10 fill=255
// packet: TWO value=10 more0=-20 fill=255
// packet: TWO value=-50 more0=3506 fill=255
// packet: TWO value=-50 more0=3507 fill=255
// packet: TWO value=-60 more0=4 fill=255
// packet: AFTER_HEAD value=20 more0=3436
// packet: AFTER_HEAD value=20 more0=3456
// packet: AFTER_HEAD value=20 more0=3457
// packet: AFTER_HEAD value=-20 more0=3456
// packet: AFTER_HEAD value=-20 more0=3457
// packet: AFTER_HEAD value=-20 more0=3476
// packet: AFTER_HEAD value=50 more0=-1
// packet: AFTER_HEAD value=-20 more0=-70
// packet: AFTER_HEAD value=-20 more0=-71
// packet: WRITE_THEN_GROW value=-4 fill=255
// packet: WRITE_THEN_GROW value=-20 length=90 fill=255
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
	result = op == AFTER_HEAD ? bpf_xdp_adjust_head(ctx, first) : bpf_xdp_adjust_tail(ctx, first);
	if (op == ONE)
		return result ? 1000 - result : XDP_PASS;
	if (op == WRITE_THEN_GROW) {
		data = (void *)(long)ctx->data;
		if ((void *)(data + 60) > (void *)(long)ctx->data_end)
			return XDP_ABORTED;
		data[59] = 0x59;
		second = 8;
	}
	result = (-result) << 8;
	result -= bpf_xdp_adjust_tail(ctx, second);
	return 1000 + result;
}

LICENSE;
