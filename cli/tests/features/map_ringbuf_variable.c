// Ring buffer: length and flags that are only known when the program runs; flags that do not exist.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { OUTPUT, RESERVE_FLAGS, SUBMIT, DISCARD };

/* key is the length. */
// for i in 0..5: OUTPUT key=8 flags=i
// packet: OUTPUT key=8 flags=0x100000000
// packet: OUTPUT key=8 flags=-1
// packet: OUTPUT key=0
// packet: OUTPUT key=1
// packet: OUTPUT key=7
// packet: OUTPUT key=9
// packet: OUTPUT key=64
// packet: OUTPUT key=65
// for i in 0..3: RESERVE_FLAGS value=7 flags=i
// for i in 0..3: SUBMIT value=i flags=i
// for i in 0..3: DISCARD value=i flags=i
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 copy[8], flags, *record;
	__u32 length;

	if (outside(r, ctx))
		return XDP_DROP;
	length = r->key;
	flags = r->flags;
	barrier_var(length);
	switch (r->op) {
	case OUTPUT:
		if (length > sizeof(copy))
			return XDP_ABORTED;
		__builtin_memcpy(copy, r, sizeof(copy));
		r->result = bpf_ringbuf_output(&ring, copy, length, flags);
		return XDP_PASS;
	case RESERVE_FLAGS:
		record = bpf_ringbuf_reserve(&ring, sizeof(*record), flags);
		r->result = record != 0;
		if (!record)
			return XDP_TX;
		*record = r->value;
		bpf_ringbuf_submit(record, 0);
		return XDP_PASS;
	}
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record)
		return XDP_ABORTED;
	*record = r->value;
	if (r->op == SUBMIT)
		bpf_ringbuf_submit(record, flags);
	else
		bpf_ringbuf_discard(record, flags);
	return XDP_PASS;
}

LICENSE;
