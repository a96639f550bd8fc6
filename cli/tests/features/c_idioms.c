// What C makes of eBPF: bit fields, packed structs, copies and comparisons of memory, tables, shifts, products, selections.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { FIELDS, PACKED, COPY, COMPARE, SHIFTS, PRODUCTS, SELECT, TABLE, SATURATE, ROTATE };

struct fields {
	__u32 version : 4, length : 4, tos : 8, total : 16;
	__u64 low : 3, middle : 37, high : 24;
};

struct packed {
	__u8 kind;
	__u32 number;
	__u16 port;
	__u64 wide;
} __attribute__((packed));

// packet: FIELDS value=0x123456789abcdef0 flags=0xfedcba9876543210
// packet: FIELDS value=-1 flags=0
// packet: PACKED value=0x123456789abcdef0 fill=ramp
// packet: COPY fill=ramp
// packet: COMPARE value=0x1122334455667788 flags=0x1122334455667788
// packet: COMPARE value=0x1122334455667788 flags=0x1122334455667789
// packet: COMPARE value=0x1122334455667788 flags=0x1022334455667788
// for i in 0..4: SHIFTS value=0x8000000180000001 flags=i*21
// packet: SHIFTS value=-1 flags=63
// packet: SHIFTS value=-1 flags=32
// packet: SHIFTS value=-1 flags=64
// packet: PRODUCTS value=0xffffffff flags=0xffffffff
// packet: PRODUCTS value=0x100000001 flags=-3
// packet: PRODUCTS value=0x7fffffffffffffff flags=2
// packet: SELECT value=1 flags=2
// packet: SELECT value=-1 flags=2
// packet: SELECT value=0x80000000 flags=2
// packet: SELECT value=0x100000000 flags=2
// for i in 0..7: TABLE key=i value=i*5
// packet: SATURATE value=0xffffffff flags=1
// packet: SATURATE value=0xfffffffe flags=1
// packet: SATURATE value=5 flags=6
// packet: ROTATE value=0x8000000000000001 flags=1
// packet: ROTATE value=0x123456789abcdef0 flags=52
// packet: ROTATE value=0x123456789abcdef0 flags=0
static const struct {
	__u16 port;
	__u8 class;
	__s8 weight;
} table[6] = { { 80, 1, -1 }, { 443, 2, 3 }, { 53, 3, -128 }, { 22, 4, 127 }, { 8080, 5, 0 }, { 65535, 255, -2 } };

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct fields fields;
	struct packed packed, other;
	__u64 a, b, copy[4];
	__u32 x, y, place;

	if (outside(r, ctx))
		return XDP_DROP;
	a = r->value;
	b = r->flags;
	x = a;
	y = b;
	switch (r->op) {
	case FIELDS:
		__builtin_memcpy(&fields, &r->value, sizeof(fields));
		r->result = fields.version | fields.length << 8 | fields.tos << 16;
		r->seen = fields.total;
		fields.middle += fields.low;
		fields.high ^= fields.version;
		__builtin_memcpy(&r->more[0], &fields, sizeof(fields));
		return XDP_PASS;
	case PACKED:
		__builtin_memcpy(&packed, (void *)r + 33, sizeof(packed));
		r->result = packed.number + packed.port;
		r->seen = packed.wide;
		packed.wide = a;
		packed.port = packed.kind;
		__builtin_memcpy((void *)r + 41, &packed, sizeof(packed));
		return XDP_PASS;
	case COPY:
		__builtin_memcpy(copy, &r->seen, sizeof(copy));
		__builtin_memset(&r->value, 0x5a, 13);
		__builtin_memmove((void *)&r->seen + 3, copy, 20);
		return XDP_PASS;
	case COMPARE:
		r->result = __builtin_memcmp(&r->value, &r->flags, 8) ? 1 : 2;
		__builtin_memset(&packed, 0, sizeof(packed));
		__builtin_memset(&other, 0, sizeof(other));
		packed.wide = a;
		other.wide = b;
		r->seen = !__builtin_memcmp(&packed, &other, sizeof(packed));
		return XDP_PASS;
	case SHIFTS:
		r->result = a << (b & 63);
		r->seen = a >> (b & 63);
		r->more[0] = (__s64)a >> (b & 63);
		r->more[1] = x << (y & 31) | (__u64)(x >> (y & 31)) << 32;
		r->more[2] = (__s32)x >> (y & 31);
		return XDP_PASS;
	case PRODUCTS:
		r->result = a * b;
		r->seen = x * y;
		r->more[0] = (__u64)x * y;
		r->more[1] = a * 10 + b * 3;
		return XDP_PASS;
	case SELECT:
		r->result = (__s64)a < (__s64)b ? a : b;
		r->seen = a < b ? a : b;
		r->more[0] = (__s32)x < (__s32)y;
		r->more[1] = x < y ? 100 : 200;
		r->more[2] = (a > 5 && b < 9) || x == y;
		return XDP_PASS;
	case TABLE:
		place = r->key;
		if (place >= 6)
			return XDP_TX;
		r->result = table[place].port;
		r->seen = table[place].class;
		r->more[0] = table[place].weight;
		return table[place].weight < 0 ? XDP_DROP : XDP_PASS;
	case SATURATE:
		r->result = x + y < x ? 0xffffffff : x + y;
		r->seen = x > y ? x - y : 0;
		return XDP_PASS;
	case ROTATE:
		r->result = a << (b & 63) | a >> (-b & 63);
		r->seen = x << (y & 31) | x >> (-y & 31);
		r->more[0] = __builtin_bswap64(a);
		r->more[1] = __builtin_bswap32(x) ^ __builtin_bswap16(a);
		return XDP_PASS;
	}
	return XDP_ABORTED;
}

LICENSE;
