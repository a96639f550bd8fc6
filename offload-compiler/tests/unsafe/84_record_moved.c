// expect: a record as it was reserved at 20
// kernel: must have zero offset
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* What is submitted is not what was reserved. */
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
	bpf_ringbuf_submit(record + 1, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
