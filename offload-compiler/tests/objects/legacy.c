// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Map definitions from before BTF. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct definition {
	unsigned int type;
	unsigned int key_size;
	unsigned int value_size;
	unsigned int max_entries;
	unsigned int map_flags;
};

struct definition SEC("maps") old = { BPF_MAP_TYPE_HASH, 4, 4, 16, 0 };

SEC("xdp1")
int xdp_old(struct xdp_md *ctx)
{
	return bpf_map_lookup_elem(&old, &(__u32){ 0 }) ? XDP_DROP : XDP_PASS;
}

SEC("xdp2")
int xdp_fine(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
