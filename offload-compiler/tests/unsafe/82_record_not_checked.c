// expect: may be null at 18
// kernel: invalid mem access 'ringbuf_mem_or_null'
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A record is written that may not have been reserved. */
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

	*(volatile __u32 *)record = 1;
	if (record)
		bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
