// expect: arithmetic at 20
// kernel: pointer arithmetic on map_ptr prohibited
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Nothing may be added to the address of a map. */
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
	void *map = &numbers;

	asm volatile("%0 += 8" : "+r"(map));
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
