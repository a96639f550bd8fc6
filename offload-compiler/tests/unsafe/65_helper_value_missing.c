// expect: value at 20
// kernel: expected=fp
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The value is NULL. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u64);
	__type(value, __u64);
} seen SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u64 key = 1;

	bpf_map_update_elem(&seen, &key, 0, BPF_ANY);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
