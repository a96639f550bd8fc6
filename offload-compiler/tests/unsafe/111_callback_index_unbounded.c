// expect: map value access out of bounds at 20
// kernel: unbounded min value
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The index is as large as the count, not as the table. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[16]);
} table SEC(".maps");

static long step(__u64 index, void *context)
{
	__u32 key = 0;
	__u8 *bytes = bpf_map_lookup_elem(&table, &key);

	return bytes && bytes[index] == 7;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return bpf_loop(100, step, 0, 0) & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
