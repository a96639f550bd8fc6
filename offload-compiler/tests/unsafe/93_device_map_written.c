// expect: read-only at 21
// kernel: write into map forbidden
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* What programs see of a device map is read-only. */
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
	__u32 key = 0, *port = bpf_map_lookup_elem(&ports, &key);

	if (port)
		*port = 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
