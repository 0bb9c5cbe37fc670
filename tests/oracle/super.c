/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Super-packets: TCP with a virtio-net header, as a device that cuts it later hands it over. To rules it is one packet of its whole length; what comes
 * out, its offload fields, counters and connections must be the kernel's.
 */
#include "tests/oracle/super.h"

#include "tests/oracle/compare.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

enum { HEADERS = sizeof(struct iphdr) + sizeof(struct tcphdr), OPEN = 3, PAYLOAD = 4000, WHOLE = HEADERS + PAYLOAD };
enum { SYN = 2, PSH = 8, ACK = 16 };

static const struct {
	const char *name, *rules;
	uint64_t first; /* packets that the first rule of FORWARD counts, of the super-packet and of what opens its connection */
	uint16_t gso_size;
	bool df;
	int sent;       /* packets that come out, at least */
} cases[] = {
	{"length", "*filter\n-A FORWARD -m length --length 4040\n-A FORWARD -m length --length 1300:1500\n-A FORWARD -p 6\nCOMMIT\n", 1, 1300, true, 1},
	{"connection", "*filter\n-A FORWARD -m connbytes --connbytes 4120: --connbytes-dir original --connbytes-mode bytes\n"
		"-A FORWARD -m connbytes --connbytes 3:3 --connbytes-dir original --connbytes-mode packets\n"
		"-A FORWARD -m conntrack --ctstate ESTABLISHED\nCOMMIT\n", 1, 1300, true, 1},
	{"limit", "*filter\n-A FORWARD -m length --length 1000: -m limit --limit 1/hour --limit-burst 1 -j ACCEPT\n"
		"-A FORWARD -m length --length 1000: -j DROP\nCOMMIT\n", 1, 1300, true, 1},
	{"string over a border", "*filter\n-A FORWARD -m string --string rookery --algo kmp\nCOMMIT\n", 1, 1300, true, 1},
	{"changed", "*mangle\n-A FORWARD -j TTL --ttl-set 9\n-A POSTROUTING -j TOS --set-tos 0x10\n-A PREROUTING -j MARK --set-mark 7\nCOMMIT\n"
		"*filter\n-A FORWARD -m mark --mark 7\nCOMMIT\n", 4, 1300, true, 1},
	{"reset", "*filter\n-A FORWARD -p 6 -m length --length 1000: -j REJECT --reject-with tcp-reset\nCOMMIT\n", 1, 1300, true, 1},
	{"refused", "*filter\n-A FORWARD -m length --length 1000: -j REJECT --reject-with icmp-admin-prohibited\nCOMMIT\n", 1, 1300, true, 1},
	{"dropped", "*filter\n-A FORWARD -m length --length 1000: -j DROP\nCOMMIT\n", 1, 1300, true, 0},
	{"segments above the MTU", "*filter\n-A FORWARD -m length --length 4040\nCOMMIT\n", 0, 1460, true, 1},
	{"no connection tracking", "*raw\n-A PREROUTING -j CT --notrack\nCOMMIT\n*filter\n-A FORWARD -m length --length 4040\nCOMMIT\n", 1, 1300, true, 1},
};

static struct kase kase;

/* From host 0 inside to the server, or back; `gso_size` 0: an ordinary one with its checksum. */
static void
make(struct super *s, bool back, uint8_t flags, uint16_t payload, uint16_t gso_size, bool df)
{
	struct iphdr *ip = (struct iphdr *)s->data;
	struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
	const uint32_t client = inet_addr("10.0.0.2"), server = inet_addr("198.51.100.8");
	const uint16_t len = (uint16_t)(sizeof(*tcp) + payload);
	unsigned i;

	memset(s, 0, offsetof(struct super, data) + HEADERS);
	s->iface = back;
	s->len = (uint32_t)HEADERS + payload;
	*ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .id = htons(77), .protocol = IPPROTO_TCP, .frag_off = df ? htons(IP_DF) : 0,
		.tot_len = htons((uint16_t)s->len), .saddr = back ? server : client, .daddr = back ? client : server};
	ip->check = ip4_checksum(ip);
	*tcp = (struct tcphdr){.source = htons(back ? 80 : 1000), .dest = htons(back ? 1000 : 80), .doff = 5, .window = htons(29200),
		.seq = htonl(back ? 500 : flags & SYN ? 100 : 101), .ack_seq = flags & ACK ? htonl(back ? 101 : 501) : 0};
	((uint8_t *)tcp)[13] = flags;
	for (i = 0; i < payload; i++)
		s->data[HEADERS + i] = (uint8_t)(i * 5);
	if (payload > 2 * 1300)
		memcpy(s->data + HEADERS + 1300 - 3, "rookery", 7);
	if (gso_size == 0) {
		tcp->check = (uint16_t)~csum_fold(csum_add(csum_pseudo4(ip->saddr, ip->daddr, IPPROTO_TCP, len), tcp, len));
		return;
	}
	tcp->check = csum_fold(csum_pseudo4(ip->saddr, ip->daddr, IPPROTO_TCP, len));
	s->offload = (struct virtio_net_hdr_v1){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .hdr_len = HEADERS,
		.gso_size = gso_size, .csum_start = sizeof(*ip), .csum_offset = offsetof(struct tcphdr, check)};
}

/* Ids of packets that the router makes are its own affair. */
static void
forget_id(struct super *s)
{
	struct iphdr *ip = (struct iphdr *)s->data;

	if (address_home(ip->saddr) != -1)
		return;
	ip->id = 0;
	ip->check = 0;
	ip->check = ip4_checksum(ip);
}

/* A checksum of one packet that is left to the device: whether it is, is the router's own affair too. */
static void
finish_sum(struct super *s)
{
	struct virtio_net_hdr_v1 *h = &s->offload;
	uint16_t sum;

	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE || !(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	sum = (uint16_t)~csum_fold(csum_add(0, s->data + h->csum_start, s->len - h->csum_start));
	memcpy(s->data + h->csum_start + h->csum_offset, &sum, 2);
	h->csum_start = h->csum_offset = 0;
}

static bool
same_packet(struct super *a, struct super *b)
{
	const struct virtio_net_hdr_v1 *x = &a->offload, *y = &b->offload;

	forget_id(a);
	forget_id(b);
	finish_sum(a);
	finish_sum(b);
	return a->iface == b->iface && a->len == b->len && x->gso_type == y->gso_type && x->gso_size == y->gso_size &&
		x->csum_start == y->csum_start && x->csum_offset == y->csum_offset && memcmp(a->data, b->data, a->len) == 0;
}

/* => packets that came out of both; -1: not the same, with why. */
static int
pass(const struct super *in, char *why, size_t size)
{
	static struct super a[SUPERS_MAX], b[SUPERS_MAX];
	int n = kernel_super(in, a), m = our_super(in, b), i;

	if (n != m) {
		snprintf(why, size, "kernel sends %d packets, ours %d", n, m);
		return -1;
	}
	for (i = 0; i < n; i++)
		if (!same_packet(&a[i], &b[i])) {
			snprintf(why, size, "packet %d: kernel %u bytes, gso %u of %u by %u, ours %u, %u of %u by %u", i, a[i].len, a[i].offload.gso_type,
				a[i].offload.gso_size, a[i].iface, b[i].len, b[i].offload.gso_type, b[i].offload.gso_size, b[i].iface);
			return -1;
		}
	return n;
}

/* The handshake, one packet each. => false, with why. */
static bool
open_connection(char *why, size_t size)
{
	static struct super s;
	unsigned i;

	for (i = 0; i < OPEN; i++) {
		make(&s, i == 1, i == 0 ? SYN : i == 1 ? SYN | ACK : ACK, 0, 0, true);
		if (pass(&s, why, size) != 1)
			return false;
	}
	return true;
}

static uint64_t
first_of_forward(const struct counts *c)
{
	unsigned i;

	for (i = 0; i < c->n; i++)
		if (c->c[i].rule == 1 && strcmp(c->c[i].table, "filter") == 0 && strcmp(c->c[i].chain, "FORWARD") == 0)
			return c->c[i].packets;
	return UINT64_MAX;
}

static bool
run_case(unsigned i, char *why, size_t size)
{
	static struct super s;
	struct difference d;
	int sent;

	if (kernel_side.load(cases[i].rules, "", why, size) < 0 || our_side.load(cases[i].rules, "", why, size) < 0)
		return false;
	if (!open_connection(why, size))
		return false;
	make(&s, false, PSH | ACK, PAYLOAD, cases[i].gso_size, cases[i].df);
	sent = pass(&s, why, size);
	if (sent < 0)
		return false;
	if (!kase_ends_equal(&kase, &d)) {
		snprintf(why, size, "%s\n%.500s", d.sort, d.text);
		return false;
	}
	snprintf(why, size, "%d packets came out, rule 1 counts %llu", sent, (unsigned long long)first_of_forward(&kase.counts));
	return sent >= cases[i].sent && first_of_forward(&kase.counts) == cases[i].first;
}

bool
super_run(void)
{
	char why[800];
	bool all = true, good;
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		good = run_case(i, why, sizeof(why));
		printf("super-packet, %s: %s%s\n", cases[i].name, good ? "as the kernel, " : "NOT as the kernel: ", why);
		all = all && good;
	}
	return all;
}
