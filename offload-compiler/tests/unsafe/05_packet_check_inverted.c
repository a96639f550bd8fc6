// expect: packet access out of bounds at 16
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The access stands on the branch where the check failed. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;

	if (data + 14 <= data_end)
		return XDP_PASS;
	return *(__u8 *)data;
}

char _license[] SEC("license") = "Dual MIT/GPL";
