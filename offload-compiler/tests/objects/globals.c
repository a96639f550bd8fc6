// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Global variables of all sections, for --set. */
#include <linux/bpf.h>
#include <linux/stddef.h>
#include <bpf/bpf_helpers.h>

enum mode { OFF, ON, AUTO = 0x1234 };

const volatile __u32 limit = 10;
const volatile __s8 offset = -5;
const volatile _Bool enabled = 1;
const volatile enum mode mode = ON;
static const volatile __u16 hidden = 0xabcd;
const volatile __u64 wide = 0x1122334455667788;
const volatile struct {
	int a;
} aggregate = { 3 };

__u64 counter;
static __u32 calls;
char buffer[64];
__u32 start = 77;

__u32 special SEC(".data.special") = 5;
const volatile __u32 tuned SEC(".rodata.tuned") = 6;

SEC("xdp")
int xdp_globals(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&counter, 1);
	calls += limit + offset + hidden + wide + aggregate.a;
	buffer[calls & 63] = enabled;
	if (mode == AUTO)
		return XDP_DROP;
	return start + special + tuned + calls;
}

char _license[] SEC("license") = "Dual MIT/GPL";
