// accept: a byte-swapped length field is masked and used as offset of the last bytes
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__u32 len;
	__u8 *last;

	if ((void *)(ip + 1) > data_end)
		return XDP_DROP;
	len = bpf_ntohs(ip->tot_len) & 0x7ff;
	if (len < 4)
		return XDP_DROP;
	last = (void *)ip + len - 4;
	if ((void *)(last + 4) > data_end)
		return XDP_PASS;
	return last[0] ^ last[3] ? XDP_PASS : XDP_TX;
}

char _license[] SEC("license") = "Dual MIT/GPL";
