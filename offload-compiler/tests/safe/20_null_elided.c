// accept: an array lookup with a constant index inside the array never gives NULL: the kernel asks for no check
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
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
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&numbers, &key);

	*value += 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
