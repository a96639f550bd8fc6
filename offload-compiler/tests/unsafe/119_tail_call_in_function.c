// expect: used after the packet moved at 30
// kernel: invalid mem access 'scalar'
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* If the call succeeds, another program has run before the function returns. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

static __attribute__((noinline)) int other(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &programs, 0);
	return XDP_PASS;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(data + 1) > end)
		return XDP_DROP;
	other(ctx);
	return *data & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
