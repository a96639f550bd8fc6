// expect: is NULL, but its size may be 4 at 11
// kernel: type=scalar expected=fp
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* There are no 4 bytes at NULL. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return bpf_csum_diff(0, 4, 0, 0, 0) & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
