// Perf event array: the current CPU and index 0, other indices, bytes of the packet behind the data, too large ones, flags.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { OUTPUT, OUTPUT_LENGTH, TWO };

/* The high half of flags is the number of packet bytes. */
// packet: OUTPUT value=0x1122334455667788 flags=0xffffffff
// packet: OUTPUT value=1 flags=0
// packet: OUTPUT value=2 flags=5000
// packet: OUTPUT value=2 flags=0xfffffffe
// packet: OUTPUT value=3 flags=0xeffffffff
// packet: OUTPUT value=4 flags=0x40ffffffff
// packet: OUTPUT value=4 flags=0x41ffffffff
// packet: OUTPUT value=5 flags=0x64ffffffff length=100 fill=9
// packet: OUTPUT value=5 flags=0x65ffffffff length=100 fill=9
// packet: OUTPUT value=5 flags=0xffff00000000
// packet: OUTPUT value=6 flags=0x1000000000000
// packet: OUTPUT value=6 flags=-1
// packet: OUTPUT_LENGTH value=1 flags=0xffffffff
// packet: OUTPUT_LENGTH value=3 flags=0xffffffff
// packet: OUTPUT_LENGTH value=4 flags=0x8ffffffff
// packet: OUTPUT_LENGTH value=13 flags=0x3ffffffff
// packet: OUTPUT_LENGTH value=64 flags=0xffffffff
// packet: TWO value=7
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 data[8] = {}, length;

	if (outside(r, ctx))
		return XDP_DROP;
	data[0] = r->value;
	data[7] = ~r->value;
	switch (r->op) {
	case OUTPUT:
		r->result = bpf_perf_event_output(ctx, &events, r->flags, data, sizeof(data));
		return XDP_PASS;
	case OUTPUT_LENGTH:
		length = r->value;
		if (length == 0 || length > sizeof(data))
			return XDP_ABORTED;
		r->result = bpf_perf_event_output(ctx, &events, r->flags, data, length);
		return XDP_PASS;
	case TWO:
		r->result = bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, data, 8);
		data[0]++;
		r->seen = bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, data, 12);
		return XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
