// bpf_redirect: to interfaces, with flags, twice, and before another verdict.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { REDIRECT, REDIRECT_CONSTANT, TWICE, OTHER_VERDICT };

// packet: REDIRECT key=1
// packet: REDIRECT key=2 port=1
// packet: REDIRECT key=0
// packet: REDIRECT key=0xffffffff
// packet: REDIRECT key=1 flags=1
// packet: REDIRECT key=1 flags=8
// packet: REDIRECT key=1 flags=0x100000000
// packet: REDIRECT key=1 flags=-1
// packet: REDIRECT_CONSTANT
// packet: TWICE key=1 flags=0
// packet: TWICE key=1 flags=5
// packet: OTHER_VERDICT key=1
SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case REDIRECT_CONSTANT:
		return bpf_redirect(1, 0);
	case TWICE:
		r->result = bpf_redirect(r->key, 0);
		return bpf_redirect(r->key + 1, r->flags);
	case OTHER_VERDICT:
		r->result = bpf_redirect(r->key, 0);
		return XDP_PASS;
	}
	return bpf_redirect(r->key, r->flags);
}

LICENSE;
