// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Map definitions from before BTF, libbpf's and iproute2's, beside a modern one that says the same. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct short_def {
	unsigned int type;
	unsigned int key_size;
	unsigned int value_size;
	unsigned int max_entries;
	unsigned int map_flags;
};

/* Some projects made it longer; libbpf took it as long as the rest was zero. */
struct bpf_map_def {
	struct short_def common;
	unsigned int more[3];
};

struct bpf_elf_map {
	__u32 type;
	__u32 size_key;
	__u32 size_value;
	__u32 max_elem;
	__u32 flags;
	__u32 id;
	__u32 pinning;
	__u32 inner_id;
	__u32 inner_idx;
};

struct point {
	__u16 x;
	__u16 y;
};

struct short_def SEC("maps") plain = { BPF_MAP_TYPE_HASH, 4, 8, 16, BPF_F_NO_PREALLOC };
struct bpf_map_def SEC("maps") long_ __asm__("long") = { { BPF_MAP_TYPE_HASH, 4, 8, 16, BPF_F_NO_PREALLOC } };
struct bpf_elf_map SEC("maps") extended = { BPF_MAP_TYPE_HASH, 4, 8, 16, BPF_F_NO_PREALLOC, 7, 2 };
struct bpf_elf_map SEC("maps") annotated = { BPF_MAP_TYPE_HASH, 4, 8, 16, BPF_F_NO_PREALLOC };
struct bpf_elf_map SEC("maps") shown = { BPF_MAP_TYPE_ARRAY, 4, 4, 2, 0, 42, 0, 0, -1 };
struct bpf_elf_map SEC("maps") outer = { BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 4, 0, 41, 0, 42 };
struct bpf_elf_map SEC("maps") fourth = { BPF_MAP_TYPE_ARRAY, 4, 4, 2, 0, 42, 0, 0, 3 };
struct bpf_elf_map SEC("maps") second = { BPF_MAP_TYPE_ARRAY, 4, 4, 2, 0, 42, 0, 0, 1 };

/* BPF_ANNOTATE_KV_PAIR */
struct ____btf_map_annotated {
	struct point key;
	__u64 value;
};
struct ____btf_map_annotated __attribute__((section(".maps.annotated"), used)) ____btf_map_annotated = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct point);
	__type(value, __u64);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} modern SEC(".maps");

SEC("xdp1")
int xdp_old(struct xdp_md *ctx)
{
	struct point at = { 1, 2 };
	__u32 index = 3;
	void *inner = bpf_map_lookup_elem(&outer, &index);

	if (!bpf_map_lookup_elem(&plain, &at) || !bpf_map_lookup_elem(&long_, &at))
		return XDP_DROP;
	if (!bpf_map_lookup_elem(&extended, &at) || !bpf_map_lookup_elem(&annotated, &at))
		return XDP_DROP;
	return inner && bpf_map_lookup_elem(inner, &index) ? XDP_TX : XDP_PASS;
}

SEC("xdp2")
int xdp_fine(struct xdp_md *ctx)
{
	return bpf_map_lookup_elem(&modern, &(struct point){ 0 }) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
