// Global variables: .data, .bss, .rodata, sections of their own, tables with a variable index, --set.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { COUNT, TABLE, LIMIT, WRITE, FLOAT };

// packet: COUNT value=3
// packet: COUNT value=4
// for i in 0..9: TABLE key=i
// packet: TABLE key=0xffffffff
// packet: LIMIT value=99
// packet: LIMIT value=100
// packet: WRITE key=2 value=0x8877665544332211
// packet: WRITE key=7 value=9
// packet: WRITE key=8 value=9
// packet: COUNT value=1
// run: --set limit=5 --set packets=1000 --set negative=-7 --set enabled=true
// packet: LIMIT value=5
// packet: LIMIT value=4
// packet: COUNT value=1
// run: --set enabled=false --set bytes=0xffffffffffffffff
// packet: LIMIT value=1000
// packet: COUNT value=1
const volatile __u32 limit = 100;
const volatile _Bool enabled = 1;
const volatile __s16 negative = -3;
static const __u16 table[8] = { 10, 21, 32, 43, 54, 65, 76, 87 };
__u32 packets = 7;
__u64 bytes;
__u64 last SEC(".data.own") = 0x1234;
__u8 written[8];
static __u16 log[4] = { 1, 2, 3, 4 };

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case COUNT:
		packets++;
		bytes += r->value;
		r->result = packets;
		r->seen = bytes;
		r->more[0] = last;
		last = r->value;
		log[packets & 3] += negative;
		return XDP_PASS;
	case TABLE:
		if (r->key >= 8)
			return XDP_TX;
		r->result = table[r->key];
		return XDP_PASS;
	case LIMIT:
		r->seen = negative;
		return enabled && r->value >= limit ? XDP_DROP : XDP_PASS;
	case WRITE:
		if (r->key >= sizeof(written))
			return XDP_TX;
		written[r->key] = r->value;
		log[r->key & 3] ^= 0xff00;
		return XDP_PASS;
	}
	return XDP_ABORTED;
}

LICENSE;
