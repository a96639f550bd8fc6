// expect: given the packet that does not take it at 21
// kernel: helper access to the packet is not allowed
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* This helper takes no packet pointers. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(data + 20) > end)
		return XDP_DROP;
	return bpf_ringbuf_output(&events, data, 20, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
