// The stack: values that are partly written, copies, keys that a helper reads.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { PARTS, KEY, PAIRS };

// packet: PARTS value=0x1122334455667788
// for i in 0..5: KEY key=i value=i+1
// packet: PAIRS value=0x1122334455667788 flags=0x99aabbccddeeff00
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
	volatile __u64 whole = 0, pair[2];
	__u32 key;

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case PARTS:
		whole = r->value;
		((volatile __u8 *)&whole)[2] = 0xff;
		((volatile __u16 *)&whole)[3] = 0xeeee;
		r->result = whole;
		r->seen = ((volatile __u32 *)&whole)[1];
		r->more[0] = ((volatile __u8 *)&whole)[5];
		return XDP_PASS;
	case KEY:
		key = r->key + 10;
		r->result = bpf_map_update_elem(&seen, &key, &r->value, BPF_ANY);
		return XDP_PASS;
	case PAIRS:
		/* Moved from place to place, a byte of each overwritten on the way. */
		pair[0] = r->value;
		pair[1] = r->flags;
		((volatile __u8 *)pair)[7] = pair[1];
		((volatile __u16 *)pair)[4] = pair[0];
		r->result = pair[0];
		r->seen = pair[1];
		pair[1] = pair[0] ^ pair[1];
		((volatile __u32 *)pair)[1] = ((volatile __u32 *)pair)[2];
		r->more[0] = pair[0];
		r->more[1] = pair[1];
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
