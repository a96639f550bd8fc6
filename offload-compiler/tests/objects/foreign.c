// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/* References that only a kernel or a linker can fill in. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sk_buff {
	unsigned int len;
} __attribute__((preserve_access_index));

extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, __u32 *hash, int *type) __attribute__((section(".ksyms")));
extern const int jiffies_start __attribute__((section(".ksyms")));
extern int CONFIG_HZ __attribute__((section(".kconfig")));

SEC("xdp")
int xdp_kfunc(struct xdp_md *ctx)
{
	__u32 hash = 0;
	int type = 0;

	return bpf_xdp_metadata_rx_hash(ctx, &hash, &type);
}

SEC("xdp")
int xdp_ksym(struct xdp_md *ctx)
{
	return (long)&jiffies_start & 1;
}

SEC("xdp")
int xdp_kconfig(struct xdp_md *ctx)
{
	return CONFIG_HZ > 100;
}

SEC("xdp")
int xdp_core(struct xdp_md *ctx)
{
	struct sk_buff *skb = (void *)(long)ctx->data;

	return skb->len & 1;
}

const char *const names[] = { "first", "second" };

SEC("xdp")
int xdp_names(struct xdp_md *ctx)
{
	return names[ctx->rx_queue_index & 1][0];
}

SEC("xdp")
int xdp_plain(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
