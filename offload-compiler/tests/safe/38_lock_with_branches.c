// accept: the lock is released on both ways, and a function works under it
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
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

static __attribute__((noinline)) void charge(struct slot *slot, __u32 by)
{
	slot->count += by;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct slot *slot = bpf_map_lookup_elem(&slots, &key);

	if (!slot)
		return XDP_PASS;
	bpf_spin_lock(&slot->lock);
	if (slot->count > 100) {
		slot->count = 0;
		bpf_spin_unlock(&slot->lock);
		return XDP_DROP;
	}
	charge(slot, ctx->rx_queue_index + 3);
	bpf_spin_unlock(&slot->lock);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
