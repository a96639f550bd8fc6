// accept: an event with its size from the packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} samples SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u8 bytes[32] = { 1, 2, 3 };
	__u32 size;

	if (data + 20 > end)
		return XDP_DROP;
	size = *(__u8 *)data & 31;
	bpf_perf_event_output(ctx, &samples, BPF_F_CURRENT_CPU, bytes, size);
	bpf_ringbuf_output(&events, bytes, size, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
