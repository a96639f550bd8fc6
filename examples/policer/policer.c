// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Polices IPv4 sources: a token bucket each, filled at a rate, drained by the
 * bytes of its packets. Packets that find too few tokens are dropped.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define NSEC_PER_USEC 1000

/* Bytes a microsecond, and the most that a bucket holds. */
const volatile __u64 rate = 125;
const volatile __u64 burst = 4096;

struct bucket {
	struct bpf_spin_lock lock;
	__u32 conforming;
	__u32 exceeding;
	__u64 tokens; /* bytes */
	__u64 last;   /* ns, the time up to which tokens were put in */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __be32);
	__type(value, struct bucket);
} buckets SEC(".maps");

/* Packets of sources that found no bucket, and no room for one. */
__u64 unpoliced;

static __always_inline struct bucket *get_bucket(__be32 source, __u64 now)
{
	struct bucket *bucket, fresh = {};

	bucket = bpf_map_lookup_elem(&buckets, &source);
	if (bucket)
		return bucket;
	fresh.tokens = burst;
	fresh.last = now;
	bpf_map_update_elem(&buckets, &source, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&buckets, &source);
}

SEC("xdp")
int xdp_policer(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct bucket *bucket;
	int action = XDP_PASS;
	__u64 now, elapsed, tokens;
	struct iphdr *ip;
	__u32 len;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_DROP;

	now = bpf_ktime_get_ns();
	bucket = get_bucket(ip->saddr, now);
	if (!bucket) {
		__sync_fetch_and_add(&unpoliced, 1);
		return XDP_PASS;
	}
	len = data_end - data;

	bpf_spin_lock(&bucket->lock);
	tokens = bucket->tokens;
	/* Another CPU may have read the clock later and come here earlier. */
	if (now > bucket->last) {
		elapsed = (now - bucket->last) / NSEC_PER_USEC;
		tokens += elapsed * rate;
		/* What is left of a microsecond counts next time. */
		bucket->last += elapsed * NSEC_PER_USEC;
		if (tokens > burst)
			tokens = burst;
	}
	if (tokens >= len) {
		tokens -= len;
		bucket->conforming++;
	} else {
		bucket->exceeding++;
		action = XDP_DROP;
	}
	bucket->tokens = tokens;
	bpf_spin_unlock(&bucket->lock);
	return action;
}

char _license[] SEC("license") = "Dual MIT/GPL";
