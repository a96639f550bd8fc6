// Loops as clang leaves them: bounded by a constant, by the packet, nested, with several ways out, with helpers inside.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { COUNT, BYTES, NESTED, SEARCH, WALK };

// packet: COUNT value=0
// packet: COUNT value=1
// packet: COUNT value=99
// packet: COUNT value=100
// packet: COUNT value=101
// packet: BYTES fill=ramp
// packet: BYTES length=65 fill=ramp
// packet: BYTES length=200 fill=3
// packet: BYTES length=1000 fill=ramp
// packet: NESTED value=0
// packet: NESTED value=7
// packet: NESTED value=20
// packet: SEARCH value=1
// packet: SEARCH value=4
// packet: SEARCH value=99
/* A list in the packet from byte 64 on: a length, that many bytes, and so on; zero ends it. */
// packet: WALK length=80 u8@64=3 u8@67=2 u8@69=0
// packet: WALK length=80 u8@64=1 u8@65=1 u8@66=1 u8@67=1 u8@68=10 u8@78=2
// packet: WALK length=80 u8@64=200
// packet: WALK length=80 fill=1
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} chain SEC(".maps");

// run: --maps loops_plain.json
// packet: SEARCH value=1
// packet: SEARCH value=4
// packet: SEARCH value=99
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	void *data = r, *end = (void *)(long)ctx->data_end;
	__u64 sum = 0, bound;
	__u32 key, *next, place;
	__u8 length;

	if (outside(r, ctx))
		return XDP_DROP;
	bound = r->value;
	barrier_var(bound);
	switch (r->op) {
	case COUNT:
		for (__u32 i = 0; i < 100 && i < bound; i++) {
			sum = sum * 5 + i;
			barrier_var(sum);
		}
		break;
	case BYTES:
		for (__u32 i = 0; i < 256; i++) {
			if (data + i + 1 > end)
				break;
			sum = (sum << 1 | sum >> 63) ^ *(__u8 *)(data + i);
		}
		break;
	case NESTED:
		for (__u32 i = 0; i < 12; i++) {
			for (__u32 j = 0; j < 10; j++) {
				if (i + j >= bound)
					break;
				sum += i * j + 1;
				barrier_var(sum);
			}
		}
		break;
	case SEARCH:
		key = bound;
		for (int i = 0; i < 16; i++) {
			next = bpf_map_lookup_elem(&chain, &key);
			if (!next)
				return XDP_TX;
			sum++;
			if (*next == 0)
				break;
			key = *next;
		}
		r->seen = key;
		break;
	case WALK:
		place = 64;
		for (int i = 0; i < 8; i++) {
			if (place > 2000 || data + place + 1 > end)
				return XDP_DROP;
			length = *(__u8 *)(data + place);
			if (length == 0)
				break;
			sum += length;
			place += length;
		}
		r->seen = place;
		break;
	}
	r->result = sum;
	return XDP_PASS;
}

LICENSE;
