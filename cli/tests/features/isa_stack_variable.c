// The stack: places that are only known when the program runs, of all widths.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { BYTE, WORD, LONG, COPY, KEY };

/* key is the place. */
// for i in 0..17: BYTE key=i value=0xa5
// for i in 0..9: WORD key=i value=0x1122334455667788
// for i in 0..5: LONG key=i value=0x1122334455667788
// for i in 0..5: COPY key=i fill=ramp
// for i in 0..5: KEY key=i value=i+1 more0=7 more1=8
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	volatile __u8 bytes[16] = {};
	volatile __u32 words[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	volatile __u64 longs[4] = { 1, 2, 3, 4 };
	__u32 keys[4] = { 10, 11, 12, 13 };
	__u32 place, op;

	if (outside(r, ctx))
		return XDP_DROP;
	place = r->key;
	op = r->op;
	barrier_var(place);
	switch (op) {
	case BYTE:
		if (place >= 16)
			return XDP_ABORTED;
		bytes[place] = r->value;
		r->result = bytes[0] | bytes[7] << 8 | bytes[15] << 16;
		r->seen = bytes[place ^ 1] | bytes[place] << 8;
		return XDP_PASS;
	case WORD:
		if (place >= 8)
			return XDP_ABORTED;
		words[place] = r->value >> 8;
		words[place ^ 1] += 100;
		for (int i = 0; i < 8; i++)
			r->result = r->result * 3 + words[i];
		return XDP_PASS;
	case LONG:
		if (place >= 4)
			return XDP_ABORTED;
		longs[place] ^= r->value;
		r->result = longs[0];
		r->seen = longs[1];
		r->more[0] = longs[2];
		r->more[1] = longs[3];
		return XDP_PASS;
	case COPY:
		if (place >= 4)
			return XDP_ABORTED;
		for (int i = 0; i < 4; i++)
			longs[i] = r->more[i & 1] + i;
		r->result = longs[place];
		return XDP_PASS;
	case KEY:
		if (place >= 4)
			return XDP_ABORTED;
		/* A helper reads the key from a place that is not known before. */
		r->result = bpf_map_update_elem(&seen, &keys[place], &r->value, BPF_ANY);
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
