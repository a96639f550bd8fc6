// expect: OW0404 at 17
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Divides by a number that is known only at run time. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if (data + 2 > (unsigned char *)end)
		return XDP_DROP;

	return data[0] / data[1];
}

char _license[] SEC("license") = "Dual MIT/GPL";
