// expect: stack at 20
// kernel: invalid
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The key has 8 bytes, only 4 are left on the stack behind its address. */
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
	__u32 key[1] = { 1 };

	return bpf_map_lookup_elem(&seen, key) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
