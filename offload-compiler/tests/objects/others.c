// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Programs of other types beside XDP programs. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int tc_program(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

SEC("socket")
int socket_program(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("xdp/devmap")
int xdp_egress(struct xdp_md *ctx)
{
	return ctx->egress_ifindex & 1 ? XDP_PASS : XDP_DROP;
}

SEC("xdp/cpumap")
int xdp_cpu(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp_old_name")
int xdp_program(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
