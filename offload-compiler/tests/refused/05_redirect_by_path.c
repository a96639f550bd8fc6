// expect: OW0406 at 24
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The map of a redirect depends on the path, as clang makes it of two calls that are alike. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} left SEC(".maps"), right SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *map = &left;

	if (ctx->rx_queue_index & 1) {
		map = &right;
		barrier_var(map);
	}
	return bpf_redirect_map(map, 0, XDP_PASS);
}

char _license[] SEC("license") = "Dual MIT/GPL";
