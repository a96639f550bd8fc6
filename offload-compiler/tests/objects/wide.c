// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Instructions of all kinds; built for the newest instruction set. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

__s64 cells[64];
__s32 words[64];
__s16 halves[64];
__s8 bytes[64];

SEC("xdp")
int xdp_wide(struct xdp_md *ctx)
{
	__u32 n = ctx->rx_queue_index & 63, m = ctx->ingress_ifindex & 63;
	__s64 x = cells[n], y = cells[m] | 1;
	__s32 u = words[n], v = words[m] | 1;

	cells[0] = x / y + x % y;
	cells[1] = (__u64)x / (__u64)y + (__u64)x % (__u64)y;
	words[0] = u / v + u % v;
	words[1] = (__u32)u / (__u32)v + (__u32)u % (__u32)v;
	cells[2] = halves[n] + bytes[m] + words[n];
	cells[3] = (__s8)x + (__s16)y + (__s32)(x ^ y);
	words[3] = (__s8)u + (__s16)v;
	cells[4] = bpf_htons(x) + bpf_htonl(y) + bpf_cpu_to_be64(x);
	cells[5] = __builtin_bswap16(u) + __builtin_bswap32(v) + __builtin_bswap64(x - y);
	cells[6] = -x;
	words[6] = -u;
	cells[7] = (x >> n) + ((__u64)y >> m) + (x << m);
	words[7] = (u >> n) + ((__u32)v >> m) + (u << m);
	cells[8] = __sync_fetch_and_add(&cells[n], x);
	cells[9] = __sync_fetch_and_or(&cells[n], x);
	cells[10] = __sync_fetch_and_and(&cells[n], x);
	cells[11] = __sync_fetch_and_xor(&cells[n], x);
	cells[12] = __sync_lock_test_and_set(&cells[n], x);
	cells[13] = __sync_val_compare_and_swap(&cells[n], x, y);
	words[8] = __sync_fetch_and_add(&words[n], u);
	words[9] = __sync_val_compare_and_swap(&words[n], u, v);
	__sync_fetch_and_add(&words[m], u);
	__sync_fetch_and_or(&cells[m], x);
	halves[3] = 0x1234;
	bytes[3] = 9;
	cells[14] = 0x1122334455667788;
	if (x < y)
		cells[15] = 1;
	if (x <= 77 && (__u64)y > 88)
		cells[16] = 1;
	if (u < -3 || (__u32)v >= 0x80000000)
		cells[17] = 1;
	if (x & 0x100 && u != v)
		cells[18] = 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
