// bpf_ktime_get_ns, bpf_jiffies64, bpf_get_smp_processor_id, bpf_get_prandom_u32: what the test's clocks and generator give.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { CLOCK, JIFFIES, CPU, RANDOM, CHOICE, STAMP };

// packet: CLOCK
// packet: CLOCK after=1
// packet: CLOCK after=123456789
// packet: JIFFIES
// packet: JIFFIES after=3999999
// packet: JIFFIES after=4000001
// packet: CPU
// packet: RANDOM
// packet: RANDOM
// for i in 0..6: CHOICE value=100
// packet: CHOICE value=0
// packet: STAMP key=1
// packet: STAMP key=1 after=1000000
// packet: STAMP key=2 after=5000000000
// packet: STAMP key=1 after=7
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} last SEC(".maps");

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	__u64 now, *before;

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case CLOCK:
		r->result = bpf_ktime_get_ns();
		r->seen = bpf_ktime_get_ns() - r->result;
		r->more[0] = bpf_ktime_get_boot_ns();
		r->more[1] = bpf_ktime_get_coarse_ns();
		return XDP_PASS;
	case JIFFIES:
		r->result = bpf_jiffies64();
		r->seen = (__u32)bpf_jiffies64();
		return XDP_PASS;
	case CPU:
		r->result = bpf_get_smp_processor_id() + 7;
		return XDP_PASS;
	case RANDOM:
		r->result = bpf_get_prandom_u32();
		r->seen = bpf_get_prandom_u32();
		r->more[0] = bpf_get_prandom_u32() % 10;
		return XDP_PASS;
	case CHOICE:
		return bpf_get_prandom_u32() % 200 < r->value ? XDP_DROP : XDP_PASS;
	case STAMP:
		now = bpf_ktime_get_ns();
		before = bpf_map_lookup_elem(&last, &r->key);
		if (before) {
			r->result = now - *before;
			*before = now;
			return XDP_TX;
		}
		return bpf_map_update_elem(&last, &r->key, &now, BPF_NOEXIST) ? XDP_ABORTED : XDP_PASS;
	}
	return XDP_DROP;
}

LICENSE;
