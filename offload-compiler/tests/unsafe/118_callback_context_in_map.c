// expect: a variable on the stack, or NULL at 28
// kernel: R3 type=map_value expected=fp
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* What a callback is given stands on the stack. */
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
	return 1;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	void *bytes = bpf_map_lookup_elem(&table, &key);

	if (!bytes)
		return XDP_PASS;
	return bpf_loop(100, step, bytes, 0) & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
