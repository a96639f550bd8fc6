// bpf_ringbuf_query: what is in the ring while records are reserved.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { QUERY };

// for i in 0..6: QUERY flags=i
// packet: QUERY flags=0x100000000
// packet: QUERY flags=-1
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8192);
} ring SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 *record;

	if (outside(r, ctx))
		return XDP_DROP;
	r->result = bpf_ringbuf_query(&ring, r->flags);
	record = bpf_ringbuf_reserve(&ring, 24, 0);
	if (!record)
		return XDP_TX;
	record[0] = record[1] = record[2] = r->flags;
	r->seen = bpf_ringbuf_query(&ring, r->flags) - r->result;
	bpf_ringbuf_submit(record, 0);
	r->more[0] = bpf_ringbuf_query(&ring, r->flags) - r->result;
	return XDP_PASS;
}

LICENSE;
