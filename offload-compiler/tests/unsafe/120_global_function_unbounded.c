// expect: map value access out of bounds at 22
// kernel: unbounded memory access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A global function is checked on its own: that its only caller bounds the index does not count. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[16]);
} table SEC(".maps");

__attribute__((noinline)) int pick(__u32 at)
{
	__u32 key = 0;
	__u8 *bytes = bpf_map_lookup_elem(&table, &key);

	if (!bytes)
		return 0;
	return bytes[at];
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return pick(ctx->rx_queue_index & 15) & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
