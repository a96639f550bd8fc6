// expect: atomic at 16
// kernel: BPF_ATOMIC stores into
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Atomic operations on packet bytes are not allowed. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;

	if (data + 8 > data_end)
		return XDP_DROP;
	__sync_fetch_and_add((__u64 *)data, 1);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
