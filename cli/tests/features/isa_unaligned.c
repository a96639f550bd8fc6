// Accesses of all widths at places that are not aligned: packet, map value, stack.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { PACKET_READ, PACKET_WRITE, VALUE_READ, VALUE_WRITE, STACK_BOTH, PACKET_VARIABLE };

// packet: PACKET_READ fill=ramp
// packet: PACKET_WRITE value=0x1122334455667788
// packet: VALUE_WRITE value=0x1122334455667788
// packet: VALUE_READ
// packet: STACK_BOTH value=0x1122334455667788
// for i in 0..8: PACKET_VARIABLE key=i fill=ramp
// packet: PACKET_VARIABLE key=56 fill=ramp
// packet: PACKET_VARIABLE key=57 fill=ramp
// packet: PACKET_VARIABLE key=61 length=69 fill=ramp
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[40]);
} block SEC(".maps");

#define READ16(at) (*(volatile __u16 *)(at))
#define READ32(at) (*(volatile __u32 *)(at))
#define READ64(at) (*(volatile __u64 *)(at))

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 stack[4] = {};
	__u32 zero = 0, place;
	void *value, *data = r, *on_stack = stack;

	if (outside(r, ctx))
		return XDP_DROP;
	value = bpf_map_lookup_elem(&block, &zero);
	if (!value)
		return XDP_ABORTED;
	switch (r->op) {
	case PACKET_READ:
		r->result = READ64(data + 1) ^ READ64(data + 10) << 1;
		r->seen = READ32(data + 3) | (__u64)READ32(data + 13) << 32;
		r->more[0] = READ16(data + 7) | READ16(data + 9) << 16;
		r->more[1] = READ64(data + 7) + READ64(data + 14) + READ64(data + 55);
		return XDP_PASS;
	case PACKET_WRITE:
		READ64(data + 19) = r->value;
		READ32(data + 29) = r->value;
		READ16(data + 35) = r->value;
		READ64(data + 45) = r->value;
		READ32(data + 59) = r->value;
		return XDP_PASS;
	case VALUE_READ:
		r->result = READ64(value + 3);
		r->seen = READ64(value + 13) ^ READ32(value + 5);
		r->more[0] = READ32(value + 15) | (__u64)READ16(value + 31) << 32;
		r->more[1] = READ64(value + 31);
		return XDP_PASS;
	case VALUE_WRITE:
		READ64(value + 1) = r->value;
		READ64(value + 13) = r->value;
		READ32(value + 23) = r->value;
		READ16(value + 31) = r->value;
		READ32(value + 35) = r->value;
		return XDP_PASS;
	case STACK_BOTH:
		READ64(on_stack + 3) = r->value;
		READ32(on_stack + 17) = r->value;
		READ16(on_stack + 23) = r->value;
		r->result = READ64(on_stack + 2);
		r->seen = READ64(on_stack + 13);
		r->more[0] = READ32(on_stack + 7);
		r->more[1] = READ16(on_stack + 9);
		r->more[2] = READ64(on_stack + 19);
		return XDP_PASS;
	case PACKET_VARIABLE:
		place = r->key;
		barrier_var(place);
		if (place > 1000)
			return XDP_ABORTED;
		data += place;
		if (data + 8 > (void *)(long)ctx->data_end)
			return XDP_TX;
		r->result = READ64(data);
		r->seen = READ32(data + 3);
		READ16(data + 5) = 0xabcd;
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
