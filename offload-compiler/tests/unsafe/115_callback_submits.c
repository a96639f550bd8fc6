// expect: not given back at 28
// kernel: reference leak
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The callback may not run, or run twice. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

static long step(__u64 index, void *context)
{
	bpf_ringbuf_submit(*(void **)context, 0);
	return 1;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *record = bpf_ringbuf_reserve(&events, 8, 0);

	if (!record)
		return XDP_PASS;
	bpf_loop(1, step, &record, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
