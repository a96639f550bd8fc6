// Program array: hit, empty entry, index out of range; stack and registers of the called program; a packet changed before the call.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { CALL, CALL_CONSTANT, CALL_AFTER_HEAD, CALL_AFTER_STORE };

// run: --prog entry
// packet: CALL key=0
// packet: CALL key=1
// packet: CALL key=2
// packet: CALL key=3
// packet: CALL key=4
// packet: CALL key=5
// packet: CALL key=0x80000000
// packet: CALL key=0xffffffff
// packet: CALL_CONSTANT
// packet: CALL_AFTER_HEAD key=4 value=-8
// packet: CALL_AFTER_HEAD key=4 value=16 length=96
// packet: CALL_AFTER_HEAD key=2 value=-8
// packet: CALL_AFTER_HEAD key=4 value=-300
// packet: CALL_AFTER_STORE key=0 value=77
// packet: CALL_AFTER_STORE key=2 value=77
// packet: CALL_AFTER_STORE key=3 value=77
// packet: CALL key=0 length=63
// run: --prog entry --maps map_prog_array.json
// packet: CALL key=2
// packet: CALL key=0
// packet: CALL key=4
int set_result(struct xdp_md *ctx);
int other(struct xdp_md *ctx);
int stamp(struct xdp_md *ctx);
int out_of_value(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__array(values, int(void *));
} programs SEC(".maps") = {
	.values = {
		[0] = (void *)&set_result,
		[1] = (void *)&other,
		[3] = (void *)&out_of_value,
		[4] = (void *)&stamp,
	},
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} runs SEC(".maps");

SEC("xdp")
int set_result(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	r->result = 1000;
	r->seen = r->value;
	return XDP_TX;
}

SEC("xdp")
int other(struct xdp_md *ctx)
{
	return 77;
}

/* Runs on any frame, whatever was done to it before. */
SEC("xdp")
int stamp(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;

	if ((void *)(data + 14) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	data[0] = 0xaa;
	data[13] = (long)ctx->data_end - (long)ctx->data;
	return XDP_TX;
}

SEC("xdp")
int out_of_value(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *run = bpf_map_lookup_elem(&runs, &key);

	return run ? *run : XDP_ABORTED;
}

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u32 op, key, slot = 0;
	__u64 *run;

	if (outside(r, ctx))
		return XDP_DROP;
	op = r->op;
	key = r->key;
	switch (op) {
	case CALL_CONSTANT:
		bpf_tail_call(ctx, &programs, 1);
		return XDP_ABORTED;
	case CALL_AFTER_HEAD:
		if (bpf_xdp_adjust_head(ctx, (int)r->value))
			return XDP_ABORTED;
		bpf_tail_call(ctx, &programs, key);
		return XDP_PASS;
	case CALL_AFTER_STORE:
		run = bpf_map_lookup_elem(&runs, &slot);
		if (run)
			*run += r->value;
		r->more[0] = 0x5555;
		bpf_tail_call(ctx, &programs, key);
		r->more[1] = 0x6666;
		return XDP_PASS;
	}
	bpf_tail_call(ctx, &programs, key);
	r->result = -1;
	return XDP_PASS;
}

LICENSE;
