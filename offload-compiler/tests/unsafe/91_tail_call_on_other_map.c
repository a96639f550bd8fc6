// expect: does not work on a map of kind at 18
// kernel: expected prog array map for tail call
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Only program arrays hold programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &ports, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
