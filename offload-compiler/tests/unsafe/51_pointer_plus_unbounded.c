// expect: packet at 24
// kernel: unbounded min value is not allowed
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* A number that may be anything is added to a packet pointer. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *number = bpf_map_lookup_elem(&numbers, &key);
	__u8 *data = (void *)(long)ctx->data;

	if (!number)
		return XDP_DROP;
	data += *number;
	if (data + 1 > (__u8 *)(long)ctx->data_end)
		return XDP_DROP;
	return *data;
}

char _license[] SEC("license") = "Dual MIT/GPL";
