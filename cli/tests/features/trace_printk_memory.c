// bpf_trace_printk of what its arguments point to: strings and addresses, in the packet, on the stack, in map values.
// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
#include "feature.h"

enum { V4, V6, STACK, VALUE, CONSTANT, NOTHING, MIXED, KERNEL, AT, TWICE };

// packet: V4 u32@40=0x0100a8c0 u32@44=0xfffffe0a
// packet: V6 u64@40=0xb80d0120 u64@48=0x0100000000000000
// packet: STACK key=3
// packet: STACK key=7
// packet: VALUE key=0
// packet: VALUE key=1 value=0x6f77742079656b
// packet: VALUE key=0
// packet: VALUE key=9
// packet: CONSTANT
// packet: NOTHING key=0
// packet: NOTHING key=9
// packet: MIXED key=5 value=-9 u32@40=0x04030201
// packet: KERNEL key=0
// packet: AT key=0 flags=2
// packet: AT key=0 flags=5
// packet: AT key=0 flags=10
// packet: TWICE u32@40=0x0100007f value=0x7473616c
struct text {
	char bytes[12];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct text);
} texts SEC(".maps");

static __always_inline struct text *entry(struct request *r)
{
	__u32 key = r->key;
	struct text *text = bpf_map_lookup_elem(&texts, &key);

	if (text && !text->bytes[0])
		__builtin_memcpy(text->bytes, "a value", 8);
	if (text && r->value)
		__builtin_memcpy(text->bytes, &r->value, 8);
	return text;
}

SEC("xdp")
int prog(struct xdp_md *ctx)
{
	struct request *r = request(ctx);
	char word[16] = "on the stack";
	struct text *text;

	if (outside(r, ctx))
		return XDP_DROP;
	switch (r->op) {
	case V4:
		bpf_printk("%pI4 > %pi4 %x", &r->more[0], (void *)&r->more[0] + 4, r->op);
		APART("1");
		break;
	case V6:
		bpf_printk("<%pI6> <%pi6>", &r->more[0], &r->more[0]);
		APART("2");
		break;
	case STACK:
		if (r->key == 3)
			word[3] = '_';
		bpf_printk("<%s> <%15s> <%-15s>", word, word, word);
		APART("3");
		break;
	case VALUE:
		text = entry(r);
		if (text) {
			bpf_printk("value %s", text->bytes);
			APART("4");
		}
		break;
	case CONSTANT: {
		static const char constant[] = "of .rodata";

		bpf_printk("%s %s", constant, constant + 4);
		APART("5");
		break;
	}
	case NOTHING:
		text = entry(r);
		bpf_printk("maybe <%s> %pI4", text, text);
		APART("6");
		break;
	case MIXED:
		bpf_printk("%d %pI4 %lld", r->key, &r->more[0], r->value);
		APART("7");
		break;
	case KERNEL:
		text = entry(r);
		if (text) {
			bpf_printk("%pks, %pus.", text->bytes, text->bytes);
			APART("8");
		}
		break;
	case AT:
		text = entry(r);
		if (text && r->flags < 12) {
			bpf_printk("from there on: <%s>", text->bytes + r->flags);
			APART("9");
		}
		break;
	case TWICE:
		bpf_printk("%s", &r->value);
		APART("10");
		bpf_printk("then %pI4", &r->more[0]);
		APART("11");
		break;
	}
	return XDP_PASS;
}

LICENSE;
