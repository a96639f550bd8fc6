// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* Variables that the loader gives values to, and weak symbols that nothing defines. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern unsigned int CONFIG_OFFWIRE_LIMIT __kconfig;
extern _Bool CONFIG_OFFWIRE_FAST __kconfig;
extern unsigned long CONFIG_OFFWIRE_MORE __kconfig __weak;
extern const void offwire_nowhere __ksym __weak;

SEC("xdp")
int xdp_limit(struct xdp_md *ctx)
{
	if (CONFIG_OFFWIRE_FAST && ctx->rx_queue_index > CONFIG_OFFWIRE_LIMIT + CONFIG_OFFWIRE_MORE)
		return XDP_DROP;
	return XDP_PASS;
}

SEC("xdp")
int xdp_weak(struct xdp_md *ctx)
{
	return &offwire_nowhere ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
