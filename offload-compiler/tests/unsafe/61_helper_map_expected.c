// expect: map at 13
// kernel: expected=map_ptr
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The first argument is not a map. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(ctx, &key) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
