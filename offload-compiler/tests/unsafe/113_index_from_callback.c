// expect: map value access out of bounds at 32
// kernel: unbounded memory access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* What a callback wrote is used behind the loop. */
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
	__u32 *at = context;

	*at += 1;
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 at = 0, key = 0;
	__u8 *bytes = bpf_map_lookup_elem(&table, &key);

	if (!bytes)
		return XDP_PASS;
	bpf_loop(100, step, &at, 0);
	return bytes[at] & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
