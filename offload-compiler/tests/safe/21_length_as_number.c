// accept: the difference of data_end and data is an ordinary number
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
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
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u32 key = 0;
	__u64 *bytes = bpf_map_lookup_elem(&numbers, &key);

	if (!bytes)
		return XDP_ABORTED;
	*bytes += data_end - data;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
