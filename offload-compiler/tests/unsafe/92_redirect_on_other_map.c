// expect: does not work on a map of kind at 18
// kernel: cannot pass map_type
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A program array holds no devices. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return bpf_redirect_map(&programs, 0, 0);
}

char _license[] SEC("license") = "Dual MIT/GPL";
