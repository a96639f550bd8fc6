// expect: OW0402 at 22
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The flags of an update are not a constant. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 value = 1;
	__u64 flags = ctx->rx_queue_index & 1 ? BPF_EXIST : BPF_ANY;

	bpf_map_update_elem(&counters, &key, &value, flags);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
