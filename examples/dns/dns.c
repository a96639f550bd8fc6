// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Filters DNS queries over UDP. The name of the question is walked label by
 * label; if it or a domain above it is on the blocklist, the query is dropped
 * and an event tells user space who asked for what.
 *
 * The blocklist holds hashes of names. They are made from the last byte of a
 * name to the first, so one walk gives those of all the parent domains. The
 * loops over bytes have exits but no forks: the verifier follows each of them
 * to its end.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define DNS_PORT   53
#define DNS_QR     0x8000
#define DNS_OPCODE 0x7800

#define MAX_NAME   64 /* a power of two; longer names go to the resolver */
#define MAX_LABELS 8
#define LABEL_TYPE 0xc0

/* FNV-1a, 64 bits. */
#define FNV_BASIS 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

#define IP_OFFSET 0x1fff

struct dnshdr {
	__be16 id;
	__be16 flags;
	__be16 qdcount;
	__be16 ancount;
	__be16 nscount;
	__be16 arcount;
};

struct question {
	__be16 qtype;
	__be16 qclass;
};

struct rule {
	__u32 id;
	__u32 hits;
};

struct event {
	__u8 saddr[16];
	__be16 sport;
	__u8 family;
	__u8 name_len;
	__u32 rule;
	__u8 name[MAX_NAME];
};

/* The name of the question, as it stands in the packet: labels behind their lengths. */
struct name {
	__u32 len;
	__u32 labels;
	__u8 starts[MAX_LABELS];
	__u8 bytes[MAX_NAME];
	__u64 hashes[MAX_NAME]; /* of the name from this byte on */
};

enum counter {
	QUERIES,
	BLOCKED,
	MALFORMED,
	TOO_LONG,
	NO_ROOM,
	COUNTERS,
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct rule);
} blocklist SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct name);
} names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

static __always_inline void count(enum counter which)
{
	__u32 key = which;
	__u64 *value = bpf_map_lookup_elem(&counters, &key);

	if (value)
		*value += 1;
}

/* Copies the name; 0, or the counter that says why not. */
static __always_inline int copy_name(struct name *name, const __u8 *cursor, void *data_end)
{
	for (int i = 0; i < MAX_NAME; i++) {
		if ((void *)(cursor + 1) > data_end)
			return MALFORMED;
		name->bytes[i] = *cursor;
		if (*cursor == 0) {
			name->len = i;
			return 0;
		}
		cursor++;
	}
	return TOO_LONG;
}

/* Finds where the labels start; 0, or the counter that says why not. */
static __always_inline int split_name(struct name *name)
{
	__u32 at = 0, len;
	int i;

	for (i = 0; i < MAX_LABELS; i++) {
		len = name->bytes[at % MAX_NAME];
		if (len == 0)
			break;
		/* A question comes first, so there is nothing to point at. */
		if (len & LABEL_TYPE)
			return MALFORMED;
		name->starts[i] = at;
		at += len + 1;
		if (at > name->len)
			return MALFORMED;
	}
	if (name->bytes[at % MAX_NAME])
		return TOO_LONG;
	name->labels = i;
	return at == name->len ? 0 : MALFORMED;
}

/* Of upper and lower case alike; the other characters of host names keep apart. */
static __always_inline void hash_name(struct name *name)
{
	__u64 hash = FNV_BASIS;
	__u32 at;

	for (int i = 1; i <= MAX_NAME; i++) {
		if (i > name->len)
			break;
		at = (name->len - i) % MAX_NAME;
		hash = (hash ^ (name->bytes[at] | 0x20)) * FNV_PRIME;
		name->hashes[at] = hash;
	}
}

/* The rule for the name, or for the nearest domain above it that has one. */
static __always_inline struct rule *find_rule(const struct name *name)
{
	struct rule *rule;
	__u64 hash;

	for (int i = 0; i < MAX_LABELS; i++) {
		if (i >= name->labels)
			break;
		hash = name->hashes[name->starts[i] % MAX_NAME];
		rule = bpf_map_lookup_elem(&blocklist, &hash);
		if (rule)
			return rule;
	}
	return NULL;
}

static __always_inline void tell(const struct name *name, const struct rule *rule, void *saddr, int family,
				 __be16 sport)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		count(NO_ROOM);
		return;
	}
	__builtin_memset(event->saddr, 0, sizeof(event->saddr));
	if (family == 4)
		__builtin_memcpy(event->saddr, saddr, 4);
	else
		__builtin_memcpy(event->saddr, saddr, 16);
	event->sport = sport;
	event->family = family;
	event->name_len = name->len;
	event->rule = rule->id;
	for (int i = 0; i < MAX_NAME; i++)
		event->name[i] = i < name->len ? name->bytes[i] : 0;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline int query(struct udphdr *udp, void *data_end, void *saddr, int family)
{
	struct dnshdr *dns = (void *)(udp + 1);
	struct rule *rule;
	struct name *name;
	__u32 zero = 0;
	int failed;

	if ((void *)(udp + 1) > data_end)
		return XDP_DROP;
	if (udp->dest != bpf_htons(DNS_PORT))
		return XDP_PASS;
	if ((void *)(dns + 1) > data_end) {
		count(MALFORMED);
		return XDP_DROP;
	}
	/* Answers and other operations are for the resolver. */
	if (dns->flags & bpf_htons(DNS_QR | DNS_OPCODE))
		return XDP_PASS;
	count(QUERIES);
	if (dns->qdcount != bpf_htons(1)) {
		count(MALFORMED);
		return XDP_DROP;
	}

	name = bpf_map_lookup_elem(&names, &zero);
	if (!name)
		return XDP_ABORTED;
	failed = copy_name(name, (void *)(dns + 1), data_end);
	if (!failed)
		failed = split_name(name);
	if (failed) {
		count(failed);
		return failed == TOO_LONG ? XDP_PASS : XDP_DROP;
	}
	hash_name(name);
	rule = find_rule(name);
	if (!rule)
		return XDP_PASS;
	__sync_fetch_and_add(&rule->hits, 1);
	count(BLOCKED);
	tell(name, rule, saddr, family, udp->source);
	return XDP_DROP;
}

SEC("xdp")
int xdp_dns(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6;
	struct udphdr *udp;
	struct iphdr *ip;
	void *saddr;
	int family;

	if ((void *)(eth + 1) > data_end)
		return XDP_DROP;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		ip = (void *)(eth + 1);
		if ((void *)(ip + 1) > data_end || ip->ihl < 5)
			return XDP_DROP;
		if (ip->protocol != IPPROTO_UDP || ip->frag_off & bpf_htons(IP_OFFSET))
			return XDP_PASS;
		udp = (void *)ip + ip->ihl * 4;
		saddr = &ip->saddr;
		family = 4;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		ip6 = (void *)(eth + 1);
		if ((void *)(ip6 + 1) > data_end)
			return XDP_DROP;
		if (ip6->nexthdr != IPPROTO_UDP)
			return XDP_PASS;
		udp = (void *)(ip6 + 1);
		saddr = &ip6->saddr;
		family = 6;
	} else {
		return XDP_PASS;
	}
	return query(udp, data_end, saddr, family);
}

char _license[] SEC("license") = "Dual MIT/GPL";
