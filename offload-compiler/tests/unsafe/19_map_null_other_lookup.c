// expect: null at 24
// kernel: invalid mem access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The result of one lookup is compared with NULL, that of another is used. */
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
	__u64 one = 1, two = 2;
	__u64 *first = bpf_map_lookup_elem(&seen, &one);
	__u64 *second = bpf_map_lookup_elem(&seen, &two);

	if (!first)
		return XDP_DROP;
	*second += 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
