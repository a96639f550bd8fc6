// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* What the kernel takes only with types: locks in values, updates under the lock, callbacks, and callbacks that move because clocks
 * and random numbers are replaced before them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct account {
	__u32 hits;
	struct bpf_spin_lock lock;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, struct account);
} accounts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, struct account);
} rows SEC(".maps");

struct request {
	__u32 what;
	__u32 key;
	__u64 flags;
	__u64 result;
	__u64 sum;
};

static struct account *find(__u32 what, __u32 key)
{
	return what & 1 ? bpf_map_lookup_elem(&rows, &key) : bpf_map_lookup_elem(&accounts, &key);
}

SEC("xdp")
int xdp_lock(struct xdp_md *ctx)
{
	struct request *request = (void *)(long)ctx->data;
	struct account *account, fresh = {};
	__u32 key;

	if ((void *)(request + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	key = request->key;
	if (request->what & 2) {
		fresh.hits = request->what;
		fresh.bytes = request->sum;
		if (request->what & 1)
			request->result = bpf_map_update_elem(&rows, &key, &fresh, request->flags);
		else
			request->result = bpf_map_update_elem(&accounts, &key, &fresh, request->flags);
		return XDP_PASS;
	}
	account = find(request->what, key);
	if (!account)
		return XDP_TX;
	bpf_spin_lock(&account->lock);
	account->hits++;
	account->bytes += ctx->data_end - ctx->data;
	request->sum = account->bytes;
	bpf_spin_unlock(&account->lock);
	return XDP_PASS;
}

static long step(__u32 index, void *context)
{
	__u64 *sum = context;

	*sum = *sum * 31 + index + bpf_get_prandom_u32() + bpf_ktime_get_ns();
	return index == 20;
}

SEC("xdp")
int xdp_loop(struct xdp_md *ctx)
{
	struct request *request = (void *)(long)ctx->data;
	__u64 sum;

	if ((void *)(request + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	sum = bpf_get_prandom_u32() + request->sum;
	request->result = bpf_loop(request->key, step, &sum, request->flags);
	request->sum = sum;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
