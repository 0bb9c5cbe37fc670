/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What FTP says, and conversations with helpers through a router that translates (tests/unit/support/gates.h). An input is settings u8, and
 * either a text, or a sequence of
 *
 *	how u8, length u8, that many bytes
 *
 * `how`: who says them, in how many segments the packet lies, whether it is sent again, goes by UDP to TFTP's port, or opens a
 * connection to the port that the first two bytes name. What is said in order and passes must come out with right checksums and at
 * the number that the other end waits for, however often texts before it have changed their length.
 */
#include "fabric/base/csum.h"
#include "filters/helper_ftp.h"
#include "filters/helper.h"
#include "tests/unit/support/flows.h"
#include "tests/unit/support/gates.h"
#include "tests/unit/support/rulesets.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLIENT, SERVER };
enum { SYN = 2, ACK = 16 };
enum how { BY_SERVER = 1, AGAIN = 2, DATA = 4, DATAGRAM = 8, CUT = 16 /* and two bits of where */, LATER = 128 };
enum settings { SHRINK = 1, INWARDS = 2, FEW = 4, TRACK_ONLY = 8, NO_BUFFERS = 16, TEXT = 32 };

struct end {
	int side;
	const char *addr, *to;
	uint16_t port, to_port;
	uint32_t next, got, last;
	uint16_t last_len;
	uint8_t last_text[UINT8_MAX]; /* a text that is sent again is the same */
};

struct talk {
	struct gate gate;
	struct end end[2];
	struct gate_frames out;
	size_t cut; /* bytes of the first segment of a packet; 0: in one piece */
	bool settled; /* no time has passed: the connection is still the same */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static uint32_t
number(const uint8_t *at)
{
	uint32_t be;

	memcpy(&be, at, sizeof(be));
	return ntohl(be);
}

static void
inject(struct talk *t, int side, const uint8_t *packet, size_t len)
{
	const size_t sizes[] = {t->cut && t->cut + 3 < len ? t->cut : len, 3};

	gate_inject(&t->gate, side, packet, len, sizes, sizes[0] < len ? 2 : 1, &t->out);
}

static void
check_packet(const uint8_t *ip, size_t len)
{
	const struct iphdr *h = (const void *)ip;
	uint64_t sum = csum_pseudo4(h->saddr, h->daddr, h->protocol, (uint16_t)(len - 20));

	must(csum_fold(csum_add(0, ip, 20)) == 0xffff && ntohs(h->tot_len) == len, "IP header");
	if (h->protocol != IPPROTO_ICMP)
		must(csum_fold(csum_add(sum, ip + 20, len - 20)) == 0xffff, "checksum");
}

/* What was said in order has come out. */
static void
arrived(struct talk *t, struct end *from, struct end *to, const uint8_t *text, uint8_t len)
{
	const uint8_t *ip = t->out.f[0].data, *tcp = ip + 20;

	from->last = from->next;
	from->last_len = len;
	memcpy(from->last_text, text, len);
	from->next += len;
	if (!t->settled)
		return;
	must(t->out.f[0].side == to->side && ip[9] == IPPROTO_TCP, "side");
	must(number(tcp + 4) == to->got, "sequence number");
	must(number(tcp + 8) == to->next, "acknowledgement");
	to->got += (uint32_t)(t->out.f[0].len - 20 - (size_t)(tcp[12] >> 4) * 4);
}

static void
segment(struct talk *t, int who, uint8_t flags, uint32_t seq, const void *payload, uint16_t len)
{
	const struct end *e = &t->end[who];
	const struct test_ip ip = {.src = e->addr, .dst = e->to};
	const struct test_segment s = {.flags = flags, .seq = seq, .ack = flags & ACK ? e->got : 0, .win = 60000, .len = len};
	uint8_t buf[512];

	inject(t, e->side, buf, test_segment_saying(buf, &ip, e->port, e->to_port, &s, payload));
}

static void
open_talk(struct talk *t, uint8_t settings)
{
	static const char *const outside[] = {"203.0.113.250", "9.9.9.9"};
	const char *own = outside[settings & SHRINK];
	bool inwards = settings & INWARDS;

	t->end[CLIENT] = (struct end){inwards ? OUTSIDE : INSIDE, inwards ? "8.8.8.8" : "10.1.0.2", inwards ? "10.0.0.1" : "8.8.8.8", 1000, 21,
		.next = 0xffffff01, .got = 5001};
	t->end[SERVER] = (struct end){inwards ? INSIDE : OUTSIDE, inwards ? "10.1.0.2" : "8.8.8.8", inwards ? "8.8.8.8" : own, 21, 1000,
		.next = 5001, .got = 0xffffff01};
	segment(t, CLIENT, SYN, 0xffffff00, NULL, 0);
	segment(t, SERVER, SYN | ACK, 5000, NULL, 0);
	segment(t, CLIENT, ACK, 0xffffff01, NULL, 0);
	t->settled = t->out.n == 1;
}

static void
configure(struct talk *t, uint8_t settings)
{
	static const char *const texts[] = {"*nat\n-A POSTROUTING -o eth0 -j @0\n", "*nat\n-A PREROUTING -i eth0 -p tcp -j @0\n"};
	union {
		struct nf_nat_ipv4_multi_range_compat mr;
		uint8_t size[XT_ALIGN(sizeof(struct nf_nat_ipv4_multi_range_compat))];
	} to = {.mr = {.rangesize = 1, .range = {{.flags = NF_NAT_RANGE_MAP_IPS}}}};
	const char *address = settings & INWARDS ? "10.1.0.2" : settings & SHRINK ? "9.9.9.9" : "203.0.113.250";
	const struct test_ext exts[] = {{settings & INWARDS ? "DNAT" : "SNAT", 0, &to, sizeof(to)}};
	struct router *r = &t->gate.t.r;

	to.mr.range[0].min_ip = to.mr.range[0].max_ip = inet_addr(address);
	gate_load(&t->gate, test_rules(texts[!!(settings & INWARDS)], exts));
	r->helpers[0] = (struct router_helper){.number = helper_find("ftp", 0), .translate = !(settings & TRACK_ONLY), .n_ports = 1, .ports = {21}};
	r->helpers[1] = (struct router_helper){.number = helper_find("tftp", 0), .translate = !(settings & TRACK_ONLY), .n_ports = 1, .ports = {69}};
	r->n_helpers = 2;
	if (settings & FEW)
		r->tunables.value[TUNE_CT_EXPECT_MAX] = 1;
}

static void
say(struct talk *t, uint8_t how, const uint8_t *text, uint8_t len, uint8_t settings)
{
	int who = how & BY_SERVER;
	struct end *e = &t->end[who];

	if (how & AGAIN) {
		segment(t, who, ACK, e->last, e->last_text, e->last_len);
		return;
	}
	t->gate.tw.t.allocs_left = settings & NO_BUFFERS && how & CUT ? 0 : UINT_MAX;
	segment(t, who, ACK, e->next, text, len);
	t->gate.tw.t.allocs_left = UINT_MAX;
	if (t->out.n == 1)
		arrived(t, e, &t->end[!who], text, len);
}

static void
other(struct talk *t, uint8_t how, const uint8_t *text, uint8_t len)
{
	const struct end *e = &t->end[how & BY_SERVER];
	const struct test_ip ip = {.src = e->addr, .dst = e->to};
	const struct test_segment syn = {.flags = SYN, .seq = 1, .win = 8192};
	uint16_t port = len > 1 ? (uint16_t)(text[0] << 8 | text[1]) : 69;
	uint8_t buf[512], payload[300] = {3, 0, port >> 8, (uint8_t)port, 0, (uint8_t)(8 + len)};
	size_t n;

	if (how & DATAGRAM) {
		memcpy(payload + 8, text, len);
		payload[4] = (uint8_t)((8 + len) >> 8);
		payload[5] = (uint8_t)(8 + len);
		n = test_ip4(buf, &ip, IPPROTO_UDP, payload, 8u + len);
	} else {
		n = test_segment(buf, &ip, 20, port, &syn);
	}
	inject(t, e->side, buf, n);
}

static void
step(struct talk *t, uint8_t how, const uint8_t *text, uint8_t len, uint8_t settings)
{
	uint8_t *exact = malloc(len + 1u); /* so that a read past it is seen */

	memcpy(exact, text, len);
	t->cut = how & CUT ? 40u + (how >> 5 & 3) * 4 : 0;
	if (how & (DATA | DATAGRAM))
		other(t, how, exact, len);
	else
		say(t, how, exact, len, settings);
	free(exact);
	for (unsigned i = 0; i < t->out.n && !(how & DATAGRAM); i++)
		check_packet(t->out.f[i].data, t->out.f[i].len);
	if (how & LATER) {
		test_walker_pass(&t->gate.tw, 40 * TEST_SECOND);
		t->settled = false;
	}
	test_conntrack_check(t->gate.filters.conntrack, 0);
}

/* What is found lies within the text, and what would be written for it is found again. */
static void
read_text(const uint8_t *data, size_t size)
{
	struct ftp_address a, again;
	char *exact = malloc(size + !size), text[FTP_TEXT + 16];

	memcpy(exact, data, size);
	for (int dir = 0; dir < 2; dir++) {
		static const char *const before[] = {[FTP_PORT] = "PORT ", [FTP_EPRT] = "EPRT ", [FTP_PASV] = "227 (", [FTP_EPSV] = "229 ("};
		size_t n;

		if (ftp_find(exact, (uint32_t)size, (enum ct_dir)dir, &a) != FTP_FOUND)
			continue;
		must(a.len > 0 && a.at + a.len <= size, "it lies outside");
		strcpy(text, before[a.form]);
		n = strlen(text);
		n += ftp_write(a.form, a.addr, a.port, text + n);
		strcpy(text + n, dir == CLIENT ? "\r" : ")");
		must(ftp_find(text, (uint32_t)n + 1, (enum ct_dir)dir, &again) == FTP_FOUND && again.port == a.port &&
				again.has_addr == a.has_addr && (!a.has_addr || again.addr == a.addr), "it is not what was written");
	}
	free(exact);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct talk t;
	uint8_t settings;

	if (size < 1)
		return 0;
	if (data[0] & TEXT) {
		read_text(data + 1, size - 1);
		return 0;
	}
	memset(&t, 0, sizeof(t));
	if (gate_init(&t.gate) != 0)
		return 0;
	settings = *data++;
	size--;
	configure(&t, settings);
	open_talk(&t, settings);
	while (size > 2) {
		uint8_t how = data[0], len = data[1];

		data += 2;
		size -= 2;
		len = (uint8_t)RTE_MIN((size_t)len, size);
		step(&t, how, data, len, settings);
		data += len;
		size -= len;
	}
	must(gate_fini(&t.gate) == 0, "something is left over");
	return 0;
}
