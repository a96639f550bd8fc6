// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Every way to define a map that the loader takes, and some that it leaves out. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum color { RED, GREEN = 7, BLUE = -1 };

struct point {
	__s16 x;
	__s16 y;
};

struct shape {
	enum color color;
	unsigned int filled : 1;
	unsigned int width : 7;
	struct point corners[3];
	union {
		__u64 area;
		struct {
			__u32 low;
			__u32 high;
		};
	};
	const char *name;
	_Bool visible;
	char letter;
};

typedef const volatile struct point key_t;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, key_t);
	__type(value, struct shape);
	__uint(max_entries, 100);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} shapes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 12);
	__uint(max_entries, 3);
	__uint(numa_node, 1);
} sizes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(values, int(void *));
} jumps SEC(".maps");

int xdp_next(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, int(void *));
} filled_jumps SEC(".maps") = {
	.values = { [1] = (void *)&xdp_next },
};

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} one SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 80);
} traces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u64);
	__type(value, __u32);
	__uint(max_entries, 1);
} wide_key SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(key_size, 8);
	__uint(value_size, 4);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} routes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} perf SEC(".maps");

SEC("xdp")
int xdp_shapes(struct xdp_md *ctx)
{
	struct point at = { 1, 2 };
	struct shape *shape = bpf_map_lookup_elem(&shapes, &at);
	__u32 zero = 0;
	__u32 *size = bpf_map_lookup_elem(&sizes, &zero);

	if (!shape || !size)
		return XDP_DROP;
	*size += shape->visible;
	bpf_tail_call(ctx, &jumps, 1);
	return XDP_PASS;
}

SEC("xdp")
int xdp_next(struct xdp_md *ctx)
{
	__u64 key[1] = { 24 };

	return bpf_map_lookup_elem(&routes, key) ? XDP_TX : XDP_PASS;
}

SEC("xdp")
int xdp_filled(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &filled_jumps, 1);
	return XDP_PASS;
}

SEC("xdp")
int xdp_outer(struct xdp_md *ctx)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&outer, &zero) ? XDP_TX : XDP_PASS;
}

SEC("xdp")
int xdp_traces(struct xdp_md *ctx)
{
	return bpf_map_delete_elem(&traces, &(__u32){ 0 });
}

SEC("xdp")
int xdp_wide_key(struct xdp_md *ctx)
{
	return bpf_map_lookup_elem(&wide_key, &(__u64){ 0 }) ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
