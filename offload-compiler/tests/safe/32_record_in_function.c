// accept: the record is kept on the stack, and a function writes and submits it
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct event {
	__u32 queue, port;
};

static __attribute__((noinline)) void report(struct event *event, __u32 queue, __u32 port)
{
	event->queue = queue;
	event->port = port;
	bpf_ringbuf_submit(event, 0);
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return XDP_PASS;
	report(event, ctx->rx_queue_index, ctx->ingress_ifindex);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
