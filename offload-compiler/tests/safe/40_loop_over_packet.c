// accept: a callback moves a packet pointer in the context on
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct cursor {
	__u8 *at, *end;
	__u64 sum;
};

static long step(__u64 index, void *context)
{
	struct cursor *cursor = context;

	if (cursor->at + 1 > cursor->end)
		return 1;
	cursor->sum += *cursor->at;
	cursor->at++;
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct cursor cursor = { data, end, 0 };

	bpf_loop(64, step, &cursor, 0);
	return cursor.sum & 1 ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
