// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Programs in several sections that call functions of other sections, programs of another type among them. libbpf only takes
 * calls into .text: with TEXT defined all functions that are called stand there, and nothing else may change. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

#ifdef TEXT
#define IN(section)
#else
#define IN(section) SEC(section)
#endif

__u32 count;

static noinline int local_text(__u32 x)
{
	count += x;
	return x * 5;
}

noinline IN("classifier") int shared_with_tc(__u32 x)
{
	return local_text(x) ^ 9;
}

noinline IN("library") int in_library(__u32 x)
{
	return shared_with_tc(x) + local_text(x + 1);
}

IN("library")
static long step(__u32 index, void *context)
{
	*(__u64 *)context += in_library(index);
	return 0;
}

SEC("action")
int not_called(void *skb)
{
	return 0;
}

SEC("xdp/tail")
noinline int xdp_tail(struct xdp_md *ctx)
{
	return in_library(ctx->rx_queue_index) & 3;
}

SEC("xdp")
int xdp_entry(struct xdp_md *ctx)
{
	__u64 sum = 0;

	bpf_loop(4, step, &sum, 0);
	return (sum + shared_with_tc(1)) & 3;
}

#ifndef TEXT
SEC("xdp_other")
int xdp_third(struct xdp_md *ctx)
{
	return xdp_tail(ctx) & 1;
}
#endif

char _license[] SEC("license") = "Dual MIT/GPL";
