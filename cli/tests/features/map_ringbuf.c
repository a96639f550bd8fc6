// Ring buffer: output, reserve with submit and discard, full, too large, size zero.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { OUTPUT, EMPTY, ODD, RESERVE, FILL, LARGE, TOO_LARGE, WHOLE, DISCARD_FIRST };

/* more0 is the number of records to make. The ring holds 4096 bytes. */
// packet: OUTPUT value=0x1122334455667788
// packet: EMPTY
// packet: ODD value=0x1122334455667788
// packet: RESERVE value=5 key=0
// packet: RESERVE value=6 key=1
// packet: RESERVE value=7 key=0
// packet: RESERVE value=8 key=1
// packet: FILL more0=1
// packet: FILL more0=3
// packet: FILL more0=4
// packet: FILL more0=9
// packet: FILL more0=1
// packet: LARGE
// packet: TOO_LARGE
// packet: WHOLE
// packet: WHOLE
// packet: DISCARD_FIRST value=9
// run: --map-entries ring=8192
// packet: FILL more0=9
// packet: FILL more0=4
// packet: WHOLE
// packet: OUTPUT value=1
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[4096]);
} source SEC(".maps");

struct record {
	__u64 number;
	__u32 key;
	__u32 more;
};

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	struct record *record;
	__u64 number;
	__u32 zero = 0;
	void *memory;

	if (outside(r, ctx))
		return XDP_DROP;
	number = r->value;
	switch (r->op) {
	case OUTPUT:
		r->result = bpf_ringbuf_output(&ring, &number, sizeof(number), 0);
		APART("1");
		return XDP_PASS;
	case EMPTY:
		r->result = bpf_ringbuf_output(&ring, &number, 0, 0);
		APART("2");
		return XDP_PASS;
	case ODD:
		r->result = bpf_ringbuf_output(&ring, &number, 5, BPF_RB_NO_WAKEUP);
		APART("3");
		r->seen = bpf_ringbuf_output(&ring, &number, 7, BPF_RB_FORCE_WAKEUP);
		return XDP_PASS;
	case RESERVE:
		record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
		APART("reserve 1");
		if (!record)
			return XDP_TX;
		record->number = number;
		record->key = r->key;
		record->more = record->key + 1;
		r->seen = record->number;
		if (r->key) {
			bpf_ringbuf_discard(record, BPF_RB_FORCE_WAKEUP);
			APART("discard");
		} else {
			bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
			APART("submit");
		}
		return XDP_PASS;
	case FILL:
		/* Records of one packet stay in the ring until it is done. */
		memory = bpf_map_lookup_elem(&source, &zero);
		if (!memory)
			return XDP_ABORTED;
		for (int i = 0; i < 9; i++) {
			if (i >= r->more[0])
				break;
			r->result = bpf_ringbuf_output(&ring, memory, 1000 + i, 0);
			if (r->result)
				break;
			r->seen = i + 1;
		}
		return XDP_PASS;
	case LARGE:
		memory = bpf_map_lookup_elem(&source, &zero);
		if (!memory)
			return XDP_ABORTED;
		r->result = bpf_ringbuf_output(&ring, memory, 4080, 0);
		APART("7");
		return XDP_PASS;
	case TOO_LARGE:
		memory = bpf_map_lookup_elem(&source, &zero);
		if (!memory)
			return XDP_ABORTED;
		r->result = bpf_ringbuf_output(&ring, memory, 4096, 0);
		APART("8");
		return XDP_PASS;
	case WHOLE:
		/* The kernel keeps at least a byte of the ring free. */
		memory = bpf_map_lookup_elem(&source, &zero);
		if (!memory)
			return XDP_ABORTED;
		r->result = bpf_ringbuf_output(&ring, memory, 4088, 0);
		APART("9");
		return XDP_PASS;
	case DISCARD_FIRST:
		record = bpf_ringbuf_reserve(&ring, 4000, 0);
		APART("reserve 4");
		if (!record)
			return XDP_TX;
		bpf_ringbuf_discard(record, 0);
		APART("13");
		r->result = bpf_ringbuf_output(&ring, &number, sizeof(number), 0);
		APART("14");
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
