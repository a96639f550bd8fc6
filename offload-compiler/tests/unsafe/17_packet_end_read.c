// expect: data_end at 11
// kernel: invalid mem access
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* data_end points behind the packet and must not be read. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return *(__u8 *)(long)ctx->data_end;
}

char _license[] SEC("license") = "Dual MIT/GPL";
