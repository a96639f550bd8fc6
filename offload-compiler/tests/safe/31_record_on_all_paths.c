// accept: each way out gives the record back, one way or the other
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u8 *record;

	if (data + 20 > end)
		return XDP_DROP;
	record = bpf_ringbuf_reserve(&events, 16, 0);
	if (!record)
		return XDP_PASS;
	__builtin_memcpy(record, data, 14);
	if (record[12] != 8) {
		bpf_ringbuf_discard(record, 0);
		return XDP_PASS;
	}
	record[14 + (record[0] & 1)] = 1;
	bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
