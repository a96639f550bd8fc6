// accept: the result of a lookup is spilled before it is compared with NULL
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct table {
	__u32 cell[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct table);
} tables SEC(".maps");

SEC("xdp")
__attribute__((naked)) int prog(void)
{
	asm volatile(
		"r6 = *(u32 *)(r1 + 16)\n"
		"*(u32 *)(r10 - 4) = r6\n"
		"r2 = r10\n"
		"r2 += -4\n"
		"r1 = %[tables] ll\n"
		"call %[lookup]\n"
		"*(u64 *)(r10 - 16) = r0\n"
		"r7 = r0\n"
		"r0 = 1\n"
		"if r7 == 0 goto 9f\n"
		"r1 = *(u64 *)(r10 - 16)\n"
		"r2 = *(u32 *)(r1 + 28)\n"
		"r2 += 1\n"
		"*(u32 *)(r1 + 28) = r2\n"
		"r0 = 2\n"
		"9: exit\n"
		: : [tables]"i"(&tables), [lookup]"i"(BPF_FUNC_map_lookup_elem)
	);
}

char _license[] SEC("license") = "Dual MIT/GPL";
