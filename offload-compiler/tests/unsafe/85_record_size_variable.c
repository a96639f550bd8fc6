// expect: must be a constant at 17
// kernel: is not a known constant
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The size of a record must be known. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 size = ctx->rx_queue_index & 15;
	void *record = bpf_ringbuf_reserve(&events, size, 0);

	if (record)
		bpf_ringbuf_discard(record, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
