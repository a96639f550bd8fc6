// expect: bpf_loop is called while a spin lock is held at 33
// kernel: function calls are not allowed while holding a lock
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* The lock that a callback takes is held when the loop goes on. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct slot {
	__u32 count;
	struct bpf_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

static long step(__u64 index, void *context)
{
	__u32 key = 0;
	struct slot *slot = bpf_map_lookup_elem(&slots, &key);

	if (slot)
		bpf_spin_lock(&slot->lock);
	return 0;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	return bpf_loop(100, step, 0, 0) & 1;
}

char _license[] SEC("license") = "Dual MIT/GPL";
