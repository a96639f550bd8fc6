// bpf_xdp_load_bytes: to stack and map values, constant and variable length, limits and errors; bpf_xdp_get_buff_len.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { EIGHT, VARIABLE, TO_VALUE, LENGTH, LENGTH_AFTER_MOVES, ODD };

/* key is the offset, value the length. */
// packet: EIGHT key=0 fill=ramp
// packet: EIGHT key=1 fill=ramp
// packet: EIGHT key=56 fill=ramp
// packet: EIGHT key=57 fill=ramp
// packet: EIGHT key=64 fill=ramp
// packet: EIGHT key=1000 fill=ramp
// packet: EIGHT key=0xffff fill=ramp
// packet: EIGHT key=0x10000 fill=ramp
// packet: EIGHT key=0xffffffff fill=ramp
// packet: EIGHT key=0x80000000 fill=ramp
// packet: EIGHT key=3512 length=3520 fill=ramp
// packet: EIGHT key=3513 length=3520 fill=ramp
// packet: VARIABLE key=0 value=1 fill=ramp
// packet: VARIABLE key=3 value=5 fill=ramp
// packet: VARIABLE key=60 value=4 fill=ramp
// packet: VARIABLE key=60 value=5 fill=ramp
// packet: VARIABLE key=0 value=32 fill=ramp
// packet: VARIABLE key=0 value=33 fill=ramp
// packet: VARIABLE key=0x10000 value=1 fill=ramp
// packet: TO_VALUE key=0 value=64 fill=ramp
// packet: TO_VALUE key=5 value=130 length=200 fill=ramp
// packet: TO_VALUE key=70 value=130 length=200 fill=ramp
// packet: TO_VALUE key=71 value=130 length=200 fill=ramp
// packet: TO_VALUE key=0 value=512 length=600 fill=ramp
// packet: LENGTH
// packet: LENGTH length=65
// packet: LENGTH length=1514
// packet: LENGTH length=3520
// packet: LENGTH_AFTER_MOVES key=4 value=9
// packet: LENGTH_AFTER_MOVES key=-40 value=-30 length=100
// packet: ODD key=9 fill=ramp
// packet: ODD key=58 fill=ramp
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[512]);
} buffer SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u32 zero = 0, offset, length;
	__u64 stack[4] = { 1, 2, 3, 4 };
	__u8 odd[7] = {};
	void *value;
	long result;

	if (outside(r, ctx))
		return XDP_DROP;
	offset = r->key;
	length = r->value;
	barrier_var(length);
	switch (r->op) {
	case EIGHT:
		r->result = bpf_xdp_load_bytes(ctx, offset, stack + 1, 8);
		APART("1");
		break;
	case ODD:
		r->result = bpf_xdp_load_bytes(ctx, offset, odd, sizeof(odd));
		APART("2");
		r->seen = odd[0] | odd[6] << 8;
		return XDP_PASS;
	case VARIABLE:
		if (length < 1 || length > sizeof(stack))
			return XDP_ABORTED;
		r->result = bpf_xdp_load_bytes(ctx, offset, stack, length);
		APART("3");
		break;
	case TO_VALUE:
		value = bpf_map_lookup_elem(&buffer, &zero);
		if (!value || length < 1 || length > 512)
			return XDP_ABORTED;
		r->result = bpf_xdp_load_bytes(ctx, offset, value, length);
		APART("4");
		return XDP_PASS;
	case LENGTH:
		r->result = bpf_xdp_get_buff_len(ctx);
		return XDP_PASS;
	case LENGTH_AFTER_MOVES:
		result = bpf_xdp_adjust_head(ctx, (int)offset);
		result |= bpf_xdp_adjust_tail(ctx, (int)length);
		return result ? XDP_ABORTED : bpf_xdp_get_buff_len(ctx);
	default:
		return XDP_DROP;
	}
	r->seen = stack[0];
	r->more[0] = stack[1];
	r->more[1] = stack[2];
	r->more[2] = stack[3];
	return XDP_PASS;
}

LICENSE;
