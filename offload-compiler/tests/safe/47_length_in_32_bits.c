// accept: a length is computed in 32 bits, from the low halves of two packet pointers
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
	int len = data_end - data;
	__u32 key = 0;
	__u64 *bytes;

	if (data + 14 > data_end)
		return XDP_DROP;
	if (len > 1000)
		key = 1;
	bytes = bpf_map_lookup_elem(&numbers, &key);
	if (!bytes)
		return XDP_ABORTED;
	*bytes += len;
	/* Behind the headers, as many programs count it. */
	key = (__u32)(data_end - data) - 14;
	*bytes += key / 2;
	return *(__u8 *)data == 1 ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
