// expect: not given back at 22
// kernel: reference leak
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Each turn reserves a record that nobody gives back. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

static long step(__u64 index, void *context)
{
	bpf_ringbuf_reserve(&events, 8, 0);
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return bpf_loop(100, step, 0, 0) & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
