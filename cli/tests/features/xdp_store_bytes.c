// bpf_xdp_store_bytes: from stack and map values, constant and variable length, limits and errors.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { EIGHT, VARIABLE, FROM_VALUE, ODD, BEHIND_POINTER };

/* key is the offset, value the length, more0 the data. */
// packet: EIGHT key=32 more0=0x1122334455667788
// packet: EIGHT key=33 more0=0x1122334455667788
// packet: EIGHT key=56 more0=0x1122334455667788
// packet: EIGHT key=57 more0=0x1122334455667788
// packet: EIGHT key=64 more0=5
// packet: EIGHT key=0xffff more0=5
// packet: EIGHT key=0x10000 more0=5
// packet: EIGHT key=0xffffffff more0=5
// packet: EIGHT key=3512 length=3520 more0=0x1122334455667788
// packet: EIGHT key=3513 length=3520 more0=0x1122334455667788
// packet: VARIABLE key=40 value=1 more0=0xaaaaaaaaaaaaaaaa
// packet: VARIABLE key=41 value=13 more0=0xaaaaaaaaaaaaaaaa
// packet: VARIABLE key=61 value=3 more0=0xaaaaaaaaaaaaaaaa
// packet: VARIABLE key=61 value=4 more0=0xaaaaaaaaaaaaaaaa
// packet: VARIABLE key=32 value=32 more0=0xaaaaaaaaaaaaaaaa
// packet: VARIABLE key=32 value=33 more0=0xaaaaaaaaaaaaaaaa
// packet: VARIABLE key=0x10000 value=1
// packet: FROM_VALUE key=64 value=100 length=200 more0=0x0102030405060708
// packet: FROM_VALUE key=100 value=100 length=200 more0=0x0102030405060708
// packet: FROM_VALUE key=101 value=100 length=200 more0=0x0102030405060708
// packet: FROM_VALUE key=80 value=512 length=600 more0=0x0102030405060708
// packet: ODD key=50 more0=0x1122334455667788
// packet: ODD key=58 more0=0x1122334455667788
// packet: BEHIND_POINTER key=32 more0=0x1122334455667788
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[64]);
} buffer SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u32 zero = 0, offset, length;
	__u64 stack[4], *value;
	__u8 odd[5];
	long result;

	if (outside(r, ctx))
		return XDP_DROP;
	offset = r->key;
	length = r->value;
	barrier_var(length);
	for (int i = 0; i < 4; i++)
		stack[i] = r->more[0] + i;
	switch (r->op) {
	case EIGHT:
		result = bpf_xdp_store_bytes(ctx, offset, stack, 8);
		APART("1");
		break;
	case VARIABLE:
		if (length < 1 || length > sizeof(stack))
			return XDP_ABORTED;
		result = bpf_xdp_store_bytes(ctx, offset, stack, length);
		APART("2");
		break;
	case FROM_VALUE:
		value = bpf_map_lookup_elem(&buffer, &zero);
		if (!value || length < 1 || length > 512)
			return XDP_ABORTED;
		for (int i = 0; i < 64; i++)
			value[i] = r->more[0] * (i + 1);
		result = bpf_xdp_store_bytes(ctx, offset, value, length);
		APART("3");
		break;
	case ODD:
		for (int i = 0; i < 5; i++)
			odd[i] = r->more[0] >> i * 8;
		result = bpf_xdp_store_bytes(ctx, offset, odd, 5);
		APART("4");
		break;
	case BEHIND_POINTER:
		/* The program's own pointer sees what the helper wrote, and the other way round. */
		r->more[1] = 0x55;
		result = bpf_xdp_store_bytes(ctx, offset, stack, 8);
		APART("5");
		r->more[1] += r->seen;
		result += bpf_xdp_load_bytes(ctx, 48, stack, 8);
		APART("6");
		r->more[2] = stack[0];
		break;
	default:
		return XDP_DROP;
	}
	return result ? 1000 - result : XDP_PASS;
}

LICENSE;
