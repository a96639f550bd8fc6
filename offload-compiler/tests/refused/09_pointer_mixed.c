// expect: OW0406 at 22
// kernel: accepts
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* One load reads the packet or the stack, depending on the path. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	unsigned char own[8] = { 1, 2, 3, 4 };
	unsigned char *from = own;

	if (data + 14 > (unsigned char *)end)
		return XDP_DROP;
	if (data[0] & 1)
		from = data;
	/* Keeps clang from reading in each branch. */
	asm volatile("" : "+r"(from) : : "memory");
	return *from;
}

char _license[] SEC("license") = "Dual MIT/GPL";
