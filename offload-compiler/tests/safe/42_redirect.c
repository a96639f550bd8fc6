// accept: a device map is looked up and redirected to
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 key, *port;

	if (data + 20 > end)
		return XDP_DROP;
	key = *(__u8 *)data & 3;
	port = bpf_map_lookup_elem(&ports, &key);
	if (port && *port == 77)
		return bpf_redirect(*port, 0);
	return bpf_redirect_map(&ports, key, XDP_PASS);
}

char _license[] SEC("license") = "Dual MIT/GPL";
