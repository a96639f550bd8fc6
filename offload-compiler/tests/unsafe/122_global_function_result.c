// expect: map value access out of bounds at 28
// kernel: unbounded memory access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Of the result of a global function only its type is known. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[16]);
} table SEC(".maps");

__attribute__((noinline)) __u32 three(__u32 number)
{
	return number & 3;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u8 *bytes = bpf_map_lookup_elem(&table, &key);

	if (!bytes)
		return XDP_PASS;
	return bytes[three((__u32)ctx->rx_queue_index)] & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
