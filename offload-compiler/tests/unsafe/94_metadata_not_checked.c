// expect: packet metadata out of bounds at 13
// kernel: outside of the packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* There may be no metadata at all. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 *meta = (void *)(long)ctx->data_meta;

	return *meta & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
