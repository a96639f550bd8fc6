// expect: null at 21
// kernel: invalid mem access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A lookup may give NULL. */
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
	__u64 key = 0;
	__u64 *value = bpf_map_lookup_elem(&seen, &key);

	*value += 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
