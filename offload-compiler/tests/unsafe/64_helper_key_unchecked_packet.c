// expect: packet at 23
// kernel: invalid access to packet
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The key has 8 bytes, 4 bytes of the packet are checked. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u64);
	__type(value, __u64);
} seen SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;

	if (data + 4 > data_end)
		return XDP_DROP;
	return bpf_map_lookup_elem(&seen, data) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual MIT/GPL";
