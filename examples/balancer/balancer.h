/* SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only */
/* Maps and settings of the load balancer. */
#ifndef BALANCER_H
#define BALANCER_H

#include <linux/types.h>

/* Places on a ring: a prime, so that every step of a permutation reaches all. */
#define RING_SIZE 61
#define MAX_VIPS 64
#define MAX_REALS 256
#define MAX_CONNECTIONS 8192

/* Flags of a service. */
#define VIP_HASH_NO_SPORT (1 << 0) /* all connections of a client to one real */
#define VIP_HASH_DPORT    (1 << 1) /* all packets to a port to one real */
#define VIP_NO_TABLE      (1 << 2) /* the ring alone decides */
#define VIP_QUIC          (1 << 3)

/* Flags of a real. */
#define REAL_V6 (1 << 0)

/* What parsers say beside XDP actions. */
#define CONTINUE 16
#define ECHO     17

#define SEED_V4 0x2545f491
#define SEED_V6 0x9e3779b9

const volatile __u16 mtu = 1500;
/* Next hop of all that is sent on. */
const volatile __u8 gateway[6] = { 0x02, 0, 0, 0, 0xff, 1 };
/* Outer source addresses; their last bits come from the flow, so that receivers can spread the load. */
const volatile __be32 source_v4 = bpf_htonl(0x0a640000); /* 10.100.0.0/16 */
const volatile __be32 source_v6[4] = { bpf_htonl(0x20010db8), bpf_htonl(0x0000ba1a), 0, 0 };

union addr {
	__be32 v4;
	__be32 v6[4];
};

struct flow {
	union addr src;
	union addr dst;
	__be16 sport;
	__be16 dport;
	__u32 protocol;
};

struct vip_key {
	union addr addr;
	__be16 port;
	__u16 protocol;
};

struct vip {
	__u32 flags;
	__u32 id;
	__u32 ring;
};

struct real {
	union addr addr;
	__u32 flags;
};

struct connection {
	__u32 real;
	__u32 packets;
};

struct stats {
	__u64 packets;
	__u64 bytes;
};

enum counter {
	TABLE_MISS,
	NO_RING,
	ECHO_ANSWERED,
	ICMP_FORWARDED,
	TOO_BIG,
	QUIC_BY_ID,
	QUIC_BY_HASH,
	MALFORMED,
	COUNTERS,
};

/* What was learned from the headers. */
struct parsed {
	__u16 len; /* of the packet from the IP header on */
	__u8 tos;
	bool is_syn;
	bool is_icmp; /* an error about a packet of the flow */
	bool may_answer;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VIPS);
	__type(key, struct vip_key);
	__type(value, struct vip);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_REALS);
	__type(key, __u32);
	__type(value, struct real);
} reals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_CONNECTIONS);
	__type(key, struct flow);
	__type(value, struct connection);
} connections SEC(".maps");

/* Numbers of reals. */
struct ring {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RING_SIZE);
	__type(key, __u32);
	__type(value, __u32);
} ring_web SEC(".maps"), ring_dns SEC(".maps"), ring_quic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_VIPS);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps") = {
	.values = { &ring_web, &ring_dns, &ring_quic },
};

/* Reals by the server number in connection ids; 0 is none. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} quic_servers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_VIPS);
	__type(key, __u32);
	__type(value, struct stats);
} vip_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_REALS);
	__type(key, __u32);
	__type(value, struct stats);
} real_stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Bob Jenkins' lookup3, as jhash2 of the kernel. */
static __always_inline __u32 rol32(__u32 word, unsigned int shift)
{
	return word << shift | word >> (32 - shift);
}

#define JHASH_BASIS 0xdeadbeef

#define jhash_mix(a, b, c)			\
	{					\
		a -= c;  a ^= rol32(c, 4);  c += b;	\
		b -= a;  b ^= rol32(a, 6);  a += c;	\
		c -= b;  c ^= rol32(b, 8);  b += a;	\
		a -= c;  a ^= rol32(c, 16); c += b;	\
		b -= a;  b ^= rol32(a, 19); a += c;	\
		c -= b;  c ^= rol32(b, 4);  b += a;	\
	}

#define jhash_final(a, b, c)			\
	{					\
		c ^= b; c -= rol32(b, 14);	\
		a ^= c; a -= rol32(c, 11);	\
		b ^= a; b -= rol32(a, 25);	\
		c ^= b; c -= rol32(b, 16);	\
		a ^= c; a -= rol32(c, 4);	\
		b ^= a; b -= rol32(a, 14);	\
		c ^= b; c -= rol32(b, 24);	\
	}

static __always_inline __u32 jhash(const __u32 *words, __u32 len, __u32 seed)
{
	__u32 a, b, c;

	a = b = c = JHASH_BASIS + (len << 2) + seed;
	while (len > 3) {
		a += words[0];
		b += words[1];
		c += words[2];
		jhash_mix(a, b, c);
		len -= 3;
		words += 3;
	}
	switch (len) {
	case 3:
		c += words[2];
	case 2:
		b += words[1];
	case 1:
		a += words[0];
		jhash_final(a, b, c);
	}
	return c;
}

static __always_inline __u32 jhash_2words(__u32 a, __u32 b, __u32 seed)
{
	__u32 c = JHASH_BASIS + (2 << 2) + seed;

	a += c;
	b += c;
	jhash_final(a, b, c);
	return c;
}

#endif
