/* SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only */
/* What the programs of this folder share: packets are requests, and carry their results out. */
#pragma once
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct request {
	__u32 op;
	__u32 key;
	__u64 value;
	__u64 flags;
	__s64 result;
	__u64 seen;
	__u64 more[3];
};

/* The request at the packet's start. */
static __always_inline struct request *request(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data;
}

/* A pointer that is compared with data_end. */
static __always_inline _Bool outside(struct request *request, struct xdp_md *ctx)
{
	return (void *)(request + 1) > (void *)(long)ctx->data_end;
}

/* Keeps the call before it apart from others that are alike: clang makes one of two calls where it can, and then the memory or the map
 * depends on the path. */
#define APART(what) asm volatile("# " what)

/* An update with flags that are a constant at each call: clang must not make one call of the three. */
#define UPDATE_ELEM(map, key, value, flags)                                         \
	({                                                                          \
		long code = -1000;                                                  \
		switch (flags) {                                                    \
		case BPF_ANY:                                                       \
			code = bpf_map_update_elem(map, key, value, BPF_ANY);       \
			asm volatile("# any" : "+r"(code));                         \
			break;                                                      \
		case BPF_NOEXIST:                                                   \
			code = bpf_map_update_elem(map, key, value, BPF_NOEXIST);   \
			asm volatile("# noexist" : "+r"(code));                     \
			break;                                                      \
		case BPF_EXIST:                                                     \
			code = bpf_map_update_elem(map, key, value, BPF_EXIST);     \
			asm volatile("# exist" : "+r"(code));                       \
			break;                                                      \
		}                                                                   \
		code;                                                               \
	})

#define LICENSE char _license[] SEC("license") = "Dual MIT/GPL"
