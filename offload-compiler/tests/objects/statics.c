// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Static functions in sections of programs: one is called, one is a target of tail calls. libbpf takes neither. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

static noinline int leaf(__u32 x)
{
	return x * 3;
}

static noinline SEC("xdp") int beside(struct xdp_md *ctx)
{
	return leaf(ctx->ingress_ifindex);
}

SEC("xdp")
int xdp_entry(struct xdp_md *ctx)
{
	return beside(ctx) & 3;
}

__attribute__((used)) SEC("xdp/tail") static int xdp_tail(struct xdp_md *ctx)
{
	return leaf(7) & 3;
}

char _license[] SEC("license") = "Dual MIT/GPL";
