// expect: record access out of bounds at 20
// kernel: invalid access to memory, mem_size=8
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A record of 8 bytes has no byte 8. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 *record = bpf_ringbuf_reserve(&events, 8, 0);

	if (!record)
		return XDP_PASS;
	record[2] = 1;
	bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
