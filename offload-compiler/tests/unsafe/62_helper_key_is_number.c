// expect: key at 18
// kernel: expected=fp
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The key is a number, not an address. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return bpf_map_lookup_elem(&numbers, (void *)7) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
