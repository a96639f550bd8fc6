// expect: map value access out of bounds at 22
// kernel: unbounded memory access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Each turn moves the index in the context on, the 17th leaves the table. */
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
	__u32 key = 0, *at = context;
	__u8 *bytes = bpf_map_lookup_elem(&table, &key);

	if (!bytes)
		return 1;
	bytes[*at] = 1;
	*at += 1;
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 at = 0;

	bpf_loop(100, step, &at, 0);
	return at & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
