// expect: a tail call while a reserved record is not given back at 27
// kernel: tail_call would lead to reference leak
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A tail call that succeeds never gives the record back. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *record = bpf_ringbuf_reserve(&events, 8, 0);

	if (!record)
		return XDP_PASS;
	bpf_tail_call(ctx, &programs, 1);
	bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
