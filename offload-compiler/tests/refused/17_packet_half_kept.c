// expect: OW0311 at 23
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Keeps the low half of a packet pointer in a map. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} places SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 half, key = 0, *place = bpf_map_lookup_elem(&places, &key);

	if (!place)
		return XDP_ABORTED;
	asm volatile("%0 = %1" : "=w"(half) : "w"(ctx->data));
	*place = half;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
