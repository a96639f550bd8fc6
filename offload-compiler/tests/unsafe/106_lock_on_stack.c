// expect: outside map values at 13
// kernel: R1 type=fp expected=map_value
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Locks stand in map values. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct bpf_spin_lock lock = {};

	bpf_spin_lock(&lock);
	bpf_spin_unlock(&lock);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
