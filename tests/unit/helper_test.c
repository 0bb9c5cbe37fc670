/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Application helpers: what FTP's texts say, and conversations through a router (gates.h), ours and, where a network namespace can
 * be made, the kernel's. Both ends of a conversation count what they send and get, so a number that is wrong by one is seen.
 */
#include "fabric/base/csum.h"
#include "filters/helper_ftp.h"
#include "filters/helper.h"
#include "filters/iptables/iptables.h"
#include "tests/unit/support/flows.h"
#include "tests/unit/support/gates.h"

#include <setjmp.h>
#include <stdarg.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENT = CT_DIR_ORIGINAL, SERVER = CT_DIR_REPLY };
enum { SYN = 2, ACK = 16 };

/* ---- texts ---- */

static const struct {
	int who;
	const char *text;
	enum ftp_found found;
	const char *number; /* what is found, or what begins there */
	const char *addr;   /* NULL: none */
	uint16_t port;
	enum ftp_form form;
} texts[] = {
	{CLIENT, "PORT 10,1,0,2,4,1\r\n", FTP_FOUND, "10,1,0,2,4,1", "10.1.0.2", 1025, FTP_PORT},
	{CLIENT, "port 10,1,0,2,255,255\r\n", FTP_FOUND, "10,1,0,2,255,255", "10.1.0.2", 65535, FTP_PORT},
	{CLIENT, "PORT   10,1,0,2,4,1\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORT 10,1,0,2,4\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORT 10,1,0,2,4,1,5\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORT 10,1,0,2,4,1\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORT 10,1,0,2,4,1", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORT 266,1,0,2,4,1\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORT 10,1,0,2,4,256\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORT 4294967306,1,0,2,4,1\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORT ,,,,,\r\n", FTP_FOUND, ",,,,,", "0.0.0.0", 0, FTP_PORT},
	{CLIENT, "PORT\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PO", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORT", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "PORX", FTP_NOTHING, NULL, NULL, 0, 0},
	{CLIENT, "PASV\r\n", FTP_NOTHING, NULL, NULL, 0, 0},
	{CLIENT, "", FTP_NOTHING, NULL, NULL, 0, 0},
	{CLIENT, "227 (10,1,0,2,4,1)\r\n", FTP_NOTHING, NULL, NULL, 0, 0},
	{CLIENT, "EPRT |1|10.1.0.2|1025|\r\n", FTP_FOUND, "|1|10.1.0.2|1025|", "10.1.0.2", 1025, FTP_EPRT},
	{CLIENT, "eprt !1!10.1.0.2!65535!\r\n", FTP_FOUND, "!1!10.1.0.2!65535!", "10.1.0.2", 65535, FTP_EPRT},
	{CLIENT, "EPRT |2|::1|1025|\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "EPRT |1|10.1.0.2|65536|\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "EPRT |1|10.1.0.2|0|\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "EPRT |1|10.1.0|1025|\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "EPRT |1|10.1.0.2|1025", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "EPRT |1", FTP_PARTIAL, NULL, NULL, 0, 0},
	{CLIENT, "EPRT 11110.1.0.2110251\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{SERVER, "227 Entering Passive Mode (8,8,8,8,4,1).\r\n", FTP_FOUND, "8,8,8,8,4,1", "8.8.8.8", 1025, FTP_PASV},
	{SERVER, "227 =8,8,8,8,4,1\r\n", FTP_FOUND, "8,8,8,8,4,1", "8.8.8.8", 1025, FTP_PASV},
	{SERVER, "227 8,8,8,8,4,1 ok\r\n", FTP_FOUND, "8,8,8,8,4,1", "8.8.8.8", 1025, FTP_PASV},
	{SERVER, "227 Entering Passive Mode\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{SERVER, "227 8,8,8,8,4,1", FTP_PARTIAL, NULL, NULL, 0, 0},
	{SERVER, "227", FTP_PARTIAL, NULL, NULL, 0, 0},
	{SERVER, "227-8,8,8,8,4,1\r\n", FTP_NOTHING, NULL, NULL, 0, 0},
	{SERVER, "229 Extended (|||1025|)\r\n", FTP_FOUND, "|||1025|", NULL, 1025, FTP_EPSV},
	{SERVER, "229 x (!!!65535!)\r\n", FTP_FOUND, "!!!65535!", NULL, 65535, FTP_EPSV},
	{SERVER, "229 (||1025|)\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{SERVER, "229 (|||65536|)\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{SERVER, "229 (|||", FTP_PARTIAL, NULL, NULL, 0, 0},
	{SERVER, "229 no bracket\r\n", FTP_PARTIAL, NULL, NULL, 0, 0},
	{SERVER, "PORT 10,1,0,2,4,1\r\n", FTP_NOTHING, NULL, NULL, 0, 0},
	{SERVER, "220 hello\r\n", FTP_NOTHING, NULL, NULL, 0, 0},
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < RTE_DIM(texts); i++) {
		uint32_t len = (uint32_t)strlen(texts[i].text);
		struct ftp_address a = {.at = 0};
		char *exact = malloc(len + !len);

		memcpy(exact, texts[i].text, len);
		if (ftp_find(exact, len, (enum ct_dir)texts[i].who, &a) != texts[i].found)
			fail_msg("%s", texts[i].text);
		if (texts[i].found == FTP_FOUND) {
			assert_int_equal(a.len, strlen(texts[i].number));
			assert_memory_equal(exact + a.at, texts[i].number, a.len);
			assert_int_equal(a.has_addr, texts[i].addr != NULL);
			if (texts[i].addr)
				assert_int_equal(a.addr, inet_addr(texts[i].addr));
			assert_int_equal(a.port, texts[i].port);
			assert_int_equal(a.form, texts[i].form);
		}
		free(exact);
	}
}

static void
test_write(void **state)
{
	static const struct {
		enum ftp_form form;
		const char *text;
	} rows[] = {
		{FTP_PORT, "255,254,253,252,255,255"},
		{FTP_PASV, "255,254,253,252,255,255"},
		{FTP_EPRT, "|1|255.254.253.252|65535|"},
		{FTP_EPSV, "|||65535|"},
	};
	char text[FTP_TEXT];

	(void)state;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		assert_int_equal(ftp_write(rows[i].form, inet_addr("255.254.253.252"), 65535, text),
			strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
}

/* ---- conversations ---- */

static struct gate g;

/* One end of a TCP connection, with the other as it knows it. */
struct end {
	int side;
	const char *addr, *to;
	uint16_t port, to_port;
	uint32_t next, got; /* the next number to send; what came */
	uint32_t last;      /* where the last segment began */
};

enum how {
	END,
	SAY,       /* the other end gets `gets`, NULL: nothing */
	AGAIN,     /* the last segment of that end is sent once more */
	LOST,      /* it is sent, and lost behind the router */
	DATA,      /* a connection from that end to address and port `text`; `gets` "ADDRESS:PORT>ADDRESS:PORT" */
	SACKED,    /* an acknowledgement that also names the last 4 bytes */
};

struct turn {
	enum how how;
	int who;
	const char *text, *gets;
};

struct talk {
	const char *name, *nat;
	int client_side;
	const char *client, *outside, *server;
	struct turn steps[14];
};

#define BOTH_RULES "*raw\n-A PREROUTING -p tcp -m tcp --dport 21 -j CT --helper ftp\n-A PREROUTING -p udp -m udp --dport 69 -j CT --helper tftp\nCOMMIT\n"

static const struct talk talks[] = {
	{"PORT grows", "-A POSTROUTING -o eth0 -j SNAT --to-source 203.0.113.250", INSIDE, "10.1.0.2", "203.0.113.250", "8.8.8.8",
		{{SAY, SERVER, "220 hello\r\n", "220 hello\r\n"},
			{SAY, CLIENT, "USER x\r\n", "USER x\r\n"},
			{SAY, CLIENT, "PORT 10,1,0,2,4,1\r\n", "PORT 203,0,113,250,4,1\r\n"},
			{SAY, SERVER, "200 ok\r\n", "200 ok\r\n"},
			{AGAIN, CLIENT, "PORT 10,1,0,2,4,1\r\n", "PORT 203,0,113,250,4,1\r\n"},
			{SAY, CLIENT, "RETR big\r\n", "RETR big\r\n"},
			{AGAIN, CLIENT, "RETR big\r\n", "RETR big\r\n"},
			{DATA, SERVER, "203.0.113.250 1025", "8.8.8.8:20>10.1.0.2:1025"},
			{SACKED, SERVER, NULL, ""},
			{SAY, CLIENT, "PORT 10,1,0,2,255,255\r\n", "PORT 203,0,113,250,255,255\r\n"},
			{SACKED, SERVER, NULL, ""},
			{SAY, SERVER, "200 ok\r\n", "200 ok\r\n"},
			{SAY, CLIENT, "STOR x\r\n", "STOR x\r\n"}}},
	{"PORT shrinks", "-A POSTROUTING -o eth0 -j SNAT --to-source 9.9.9.9", INSIDE, "10.1.0.200", "9.9.9.9", "8.8.8.8",
		{{SAY, CLIENT, "USER x\r\n", "USER x\r\n"},
			{LOST, CLIENT, "PORT 10,1,0,200,4,1\r\n", "PORT 9,9,9,9,4,1\r\n"},
			{AGAIN, CLIENT, "PORT 10,1,0,200,4,1\r\n", "PORT 9,9,9,9,4,1\r\n"},
			{SAY, CLIENT, "NOOP\r\n", "NOOP\r\n"},
			{SACKED, SERVER, NULL, ""},
			{SAY, SERVER, "200 ok\r\n", "200 ok\r\n"},
			{SAY, CLIENT, "QUIT\r\n", "QUIT\r\n"}}},
	{"EPRT", "-A POSTROUTING -o eth0 -j SNAT --to-source 203.0.113.250", INSIDE, "10.1.0.2", "203.0.113.250", "8.8.8.8",
		{{SAY, CLIENT, "USER x\r\n", "USER x\r\n"},
			{SAY, CLIENT, "EPRT !1!10.1.0.2!1025!\r\n", "EPRT |1|203.0.113.250|1025|\r\n"},
			{SAY, SERVER, "200 ok\r\n", "200 ok\r\n"},
			{DATA, SERVER, "203.0.113.250 1025", "8.8.8.8:20>10.1.0.2:1025"}}},
	{"PASV and EPSV of a server inside", "-A PREROUTING -i eth0 -p tcp -m tcp --dport 21 -j DNAT --to-destination 10.1.0.2", OUTSIDE,
		"8.8.8.8", "10.0.0.1", "10.1.0.2",
		{{SAY, SERVER, "220 hello\r\n", "220 hello\r\n"},
			{SAY, CLIENT, "PASV\r\n", "PASV\r\n"},
			{SAY, SERVER, "227 Passive (10,1,0,2,200,1)\r\n", "227 Passive (10,0,0,1,200,1)\r\n"},
			{DATA, CLIENT, "10.0.0.1 51201", "8.8.8.8:20>10.1.0.2:51201"},
			{SAY, CLIENT, "EPSV\r\n", "EPSV\r\n"},
			{SAY, SERVER, "229 Extended (|||51202|)\r\n", "229 Extended (|||51202|)\r\n"},
			{DATA, CLIENT, "10.0.0.1 51202", "8.8.8.8:20>10.1.0.2:51202"},
			{SAY, CLIENT, "PORT 8,8,8,8,4,1\r\n", "PORT 8,8,8,8,4,1\r\n"},
			{DATA, SERVER, "8.8.8.8 1025", "10.0.0.1:20>8.8.8.8:1025"}}},
	{"nothing is opened for others", "-A POSTROUTING -o eth0 -j SNAT --to-source 203.0.113.250", INSIDE, "10.1.0.2", "203.0.113.250",
		"8.8.8.8",
		{{SAY, CLIENT, "USER x\r\n", "USER x\r\n"},
			{SAY, CLIENT, "PORT 10,1,0,3,4,1\r\n", "PORT 10,1,0,3,4,1\r\n"},
			{DATA, SERVER, "203.0.113.250 1025", NULL}}},
	{"only what a line begins with", "-A POSTROUTING -o eth0 -j SNAT --to-source 203.0.113.250", INSIDE, "10.1.0.2", "203.0.113.250",
		"8.8.8.8",
		{{SAY, CLIENT, "PORT 10,1,0,2,4,1\r\n", "PORT 10,1,0,2,4,1\r\n"}, /* before any end of line was seen */
			{SAY, CLIENT, "SITE ", "SITE "},
			{SAY, CLIENT, "PORT 10,1,0,2,4,1\r\n", "PORT 10,1,0,2,4,1\r\n"},
			{SAY, CLIENT, "NOOP\r\nPORT 10,1,0,2,4,1\r\n", "NOOP\r\nPORT 10,1,0,2,4,1\r\n"},
			{DATA, SERVER, "203.0.113.250 1025", NULL},
			{SAY, CLIENT, "PORT 10,1,0,2,4,2\r\n", "PORT 203,0,113,250,4,2\r\n"},
			{DATA, SERVER, "203.0.113.250 1026", "8.8.8.8:20>10.1.0.2:1026"}}},
	{"half a command and a wrong one", "-A POSTROUTING -o eth0 -j SNAT --to-source 203.0.113.250", INSIDE, "10.1.0.2", "203.0.113.250",
		"8.8.8.8",
		{{SAY, CLIENT, "USER x\r\n", "USER x\r\n"},
			{SAY, CLIENT, "PORT 10,1", NULL},
			{SAY, CLIENT, "PORT 10,1,0,2,4\r\n", NULL},
			{SAY, CLIENT, "PO", NULL},
			{SAY, CLIENT, "PORT 10,1,0,2,4,1\r\n", "PORT 203,0,113,250,4,1\r\n"},
			{DATA, SERVER, "203.0.113.250 1025", "8.8.8.8:20>10.1.0.2:1025"}}},
};

typedef void (*inject_fn)(int side, const void *data, size_t len, struct gate_frames *out);

struct conversation {
	const struct talk *talk;
	struct end end[2];
	inject_fn inject;
	struct gate_frames out;
};

static uint32_t
number(const uint8_t *at)
{
	uint32_t be;

	memcpy(&be, at, sizeof(be));
	return ntohl(be);
}

static void
send_segment(struct conversation *k, int who, const struct test_segment *s, const void *text)
{
	const struct end *e = &k->end[who];
	const struct test_ip ip = {.src = e->addr, .dst = e->to};
	uint8_t buf[GATE_FRAME];

	k->inject(e->side, buf, test_segment_saying(buf, &ip, e->port, e->to_port, s, text), &k->out);
}

/* An independent look at its checksums. */
static void
check_sums(const uint8_t *ip, size_t len)
{
	const struct iphdr *h = (const void *)ip;
	uint64_t sum = csum_pseudo4(h->saddr, h->daddr, h->protocol, (uint16_t)(len - 20));

	assert_int_equal(csum_fold(csum_add(0, ip, 20)), 0xffff);
	assert_int_equal(ntohs(h->tot_len), len);
	assert_int_equal(csum_fold(csum_add(sum, ip + 20, len - 20)), 0xffff);
}

/* The other end gets the segment. */
static void
receive(struct conversation *k, int who, const struct turn *s, bool lost)
{
	struct end *from = &k->end[who], *to = &k->end[!who];
	const uint8_t *tcp = k->out.f[0].data + 20;
	size_t header = (tcp[12] >> 4) * 4u, len;

	if (!s->gets) {
		assert_int_equal(k->out.n, 0);
		return;
	}
	assert_int_equal(k->out.n, 1);
	assert_int_equal(k->out.f[0].side, to->side);
	len = k->out.f[0].len - 20 - header;
	check_sums(k->out.f[0].data, k->out.f[0].len);
	if (len != strlen(s->gets) || memcmp(tcp + header, s->gets, len))
		fail_msg("%s: %.*s, not %s", k->talk->name, (int)len, (const char *)tcp + header, s->gets);
	if (s->how == SAY || lost)
		assert_int_equal(number(tcp + 4), to->got);
	else if ((uint32_t)(number(tcp + 4) + len) != to->got && number(tcp + 4) != to->got)
		fail_msg("%s: %s: %u + %zu, not %u", k->talk->name, s->gets, number(tcp + 4), len, to->got);
	if (!lost && number(tcp + 4) == to->got)
		to->got += (uint32_t)len;
	assert_int_equal(number(tcp + 8), to->next); /* all that it has sent has come */
	(void)from;
}

static void
say(struct conversation *k, const struct turn *s)
{
	struct end *e = &k->end[s->who];
	struct test_segment t = {.flags = ACK, .ack = e->got, .win = 8192, .len = (uint16_t)strlen(s->text)};

	if (s->how != AGAIN && s->gets) {
		e->last = e->next;
		e->next += t.len;
	}
	t.seq = s->gets ? e->last : e->next;
	send_segment(k, s->who, &t, s->text);
	receive(k, s->who, s, s->how == LOST);
}

/* The other end gets its own numbers back. */
static void
sacked(struct conversation *k, const struct turn *s)
{
	struct end *e = &k->end[s->who], *other = &k->end[!s->who];
	uint32_t edges[2] = {htonl(e->got - 4), htonl(e->got)};
	uint8_t options[12] = {1, 1, 5, 10};
	struct test_segment t = {.flags = ACK, .seq = e->next, .ack = e->got, .win = 8192, .options = options, .options_len = sizeof(options)};
	const uint8_t *tcp = k->out.f[0].data + 20;

	memcpy(options + 4, edges, sizeof(edges));
	send_segment(k, s->who, &t, NULL);
	assert_int_equal(k->out.n, 1);
	assert_int_equal(k->out.f[0].side, other->side);
	check_sums(k->out.f[0].data, k->out.f[0].len);
	assert_int_equal(number(tcp + 8), other->next);
	assert_int_equal(number(tcp + 24), other->next - 4);
	assert_int_equal(number(tcp + 28), other->next);
}

static void
data(struct conversation *k, const struct turn *s)
{
	const struct end *e = &k->end[s->who];
	char to[32], text[80], src[INET_ADDRSTRLEN], dst[INET_ADDRSTRLEN];
	const uint8_t *ip = k->out.f[0].data;
	const struct test_segment syn = {.flags = SYN, .seq = 7000, .win = 8192};
	struct test_ip addrs = {.src = e->addr, .dst = to};
	uint8_t buf[GATE_FRAME];
	unsigned port;

	assert_int_equal(sscanf(s->text, "%31s %u", to, &port), 2);
	k->inject(e->side, buf, test_segment(buf, &addrs, 20, (uint16_t)port, &syn), &k->out);
	if (!s->gets) {
		/* It is for the router itself, or for nobody: no address inside gets it. */
		assert_true(k->out.n == 0 || k->out.f[0].side == e->side);
		return;
	}
	assert_int_equal(k->out.n, 1);
	check_sums(ip, k->out.f[0].len);
	snprintf(text, sizeof(text), "%s:%u>%s:%u", inet_ntop(AF_INET, ip + 12, src, sizeof(src)), ip[20] << 8 | ip[21],
		inet_ntop(AF_INET, ip + 16, dst, sizeof(dst)), ip[22] << 8 | ip[23]);
	assert_string_equal(text, s->gets);
}

static void
open_conversation(struct conversation *k, const struct talk *talk, uint16_t port, inject_fn inject)
{
	static const uint8_t sack_ok[4] = {1, 1, 4, 2};
	bool inside = talk->client_side == INSIDE;
	struct test_segment syn = {.flags = SYN, .seq = 0xfffffff0, .win = 8192, .options = sack_ok, .options_len = sizeof(sack_ok)};

	*k = (struct conversation){.talk = talk, .inject = inject};
	k->end[CLIENT] = (struct end){talk->client_side, talk->client, inside ? talk->server : talk->outside, port, 21, 0xfffffff1, 5001, 0};
	k->end[SERVER] = (struct end){!talk->client_side, talk->server, inside ? talk->outside : talk->client, 21, port, 5001, 0xfffffff1, 0};
	send_segment(k, CLIENT, &syn, NULL);
	assert_int_equal(k->out.n, 1);
	syn.flags |= ACK;
	syn.seq = 5000;
	syn.ack = 0xfffffff1;
	send_segment(k, SERVER, &syn, NULL);
	assert_int_equal(k->out.n, 1);
	send_segment(k, CLIENT, &(struct test_segment){.flags = ACK, .seq = 0xfffffff1, .ack = 5001, .win = 8192}, NULL);
	assert_int_equal(k->out.n, 1);
}

static void
talk_step(struct conversation *k, const struct turn *s)
{
	switch (s->how) {
	case DATA:
		data(k, s);
		break;
	case SACKED:
		sacked(k, s);
		break;
	default:
		say(k, s);
	}
}

static void
load(const char *nat, bool by_rule)
{
	char text[1024], why[512] = "";
	struct rules *rules;

	snprintf(text, sizeof(text), "%s*nat\n%s\nCOMMIT\n", by_rule ? BOTH_RULES : "", nat);
	rules = iptables_read(text, strlen(text), "rules", why, sizeof(why));
	if (!rules)
		fail_msg("%s", why);
	gate_load(&g, rules);
}

static size_t cuts[8], n_cuts;

static void
through_ours(int side, const void *packet, size_t len, struct gate_frames *out)
{
	size_t whole = len;

	if (n_cuts > 0 && len > 60)
		gate_inject(&g, side, packet, len, cuts, n_cuts, out);
	else
		gate_inject(&g, side, packet, len, &whole, 1, out);
}

static void
test_talks(void **state)
{
	static struct conversation k;
	const struct turn *s;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(talks); i++) {
		load(talks[i].nat, true);
		open_conversation(&k, &talks[i], 1000, through_ours);
		for (s = talks[i].steps; s->how != END; s++)
			talk_step(&k, s);
		test_conntrack_check(g.filters.conntrack, 0);
		conntrack_flush(&g.tw.w.env, g.filters.conntrack);
		gate_unload(&g);
	}
	assert_int_equal(g.t.live.drops.n[DROP_HELPER_PARTIAL], 3);
}

/* The same in segments of one packet, wherever they end. */
static void
test_chains(void **state)
{
	static const size_t sizes[][4] = {{40, 5, 1, 3}, {41, 2, 2, 2}, {58, 1, 1, 1}, {44, 9, 5, 60}};

	n_cuts = 4;
	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		memcpy(cuts, sizes[i], sizeof(sizes[i]));
		g.t.live.drops.n[DROP_HELPER_PARTIAL] = 0;
		test_talks(state);
	}
	n_cuts = 0;
}

/* ---- beside the kernel ---- */

static struct kernel_gate kernel;
static struct gate_frames theirs;

/* What the kernel makes of it goes on. */
static void
through_both(int side, const void *packet, size_t len, struct gate_frames *out)
{
	kernel_gate_inject(&kernel, side, packet, len, &theirs);
	gate_inject(&g, side, packet, len, &len, 1, out);
	assert_int_equal(out->n, theirs.n);
	for (unsigned i = 0; i < out->n; i++) {
		if (out->f[i].len != theirs.f[i].len || memcmp(out->f[i].data, theirs.f[i].data, out->f[i].len))
			fail_msg("packet of %zu bytes, the kernel's has %zu: %.*s, %.*s", out->f[i].len, theirs.f[i].len,
				(int)out->f[i].len - 40, (char *)out->f[i].data + 40, (int)theirs.f[i].len - 40,
				(char *)theirs.f[i].data + 40);
	}
}

static void
beside_kernel(void)
{
	static struct conversation k;
	const struct turn *s;
	char text[1024];

	for (size_t i = 0; i < RTE_DIM(talks); i++) {
		snprintf(text, sizeof(text), "%s*nat\n%s\nCOMMIT\n", BOTH_RULES, talks[i].nat);
		kernel_gate_load(&kernel, text);
		load(talks[i].nat, true);
		open_conversation(&k, &talks[i], 1000, through_both);
		for (s = talks[i].steps; s->how != END; s++)
			/* what is for the router itself it answers with a reset */
			if (s->how != DATA || s->gets)
				talk_step(&k, s);
		conntrack_flush(&g.tw.w.env, g.filters.conntrack);
		gate_unload(&g);
	}
}

static void
test_kernel(void **state)
{
	enum { NONE = 77 };
	int status;
	pid_t pid;

	(void)state;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (!kernel_gate_open(&kernel))
			_exit(NONE);
		beside_kernel();
		fflush(stdout);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NONE)
		skip();
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- what has bounds ---- */

static const struct talk plain = {"plain", "-A POSTROUTING -o eth0 -j SNAT --to-source 203.0.113.250", INSIDE, "10.1.0.2", "203.0.113.250",
	"8.8.8.8", {{END}}};

static void
begin(struct conversation *k, const char *client)
{
	static struct talk talk;

	talk = plain;
	talk.client = client;
	open_conversation(k, &talk, (uint16_t)(1000 + client[strlen(client) - 1]), through_ours);
	talk_step(k, &(struct turn){SAY, CLIENT, "USER x\r\n", "USER x\r\n"});
}

static uint32_t
expected(void)
{
	static char lines[16][CT_EXPECT_LINE];

	return conntrack_expectations(g.filters.conntrack, g.tw.w.env.now, lines, RTE_DIM(lines));
}

static uint64_t
drops(enum drop_reason why)
{
	return g.t.live.drops.n[why];
}

static void
test_limits(void **state)
{
	static struct conversation k, other;
	static const struct turn first = {SAY, CLIENT, "PORT 10,1,0,2,4,1\r\n", "PORT 203,0,113,250,4,1\r\n"},
				 second = {SAY, CLIENT, "PORT 10,1,0,2,4,2\r\n", "PORT 203,0,113,250,4,2\r\n"},
				 refused = {SAY, CLIENT, "PORT 10,1,0,3,4,1\r\n", NULL};

	(void)state;
	load(plain.nat, true);
	begin(&k, "10.1.0.2");
	talk_step(&k, &first);
	talk_step(&k, &second); /* the oldest makes place */
	assert_int_equal(expected(), 1);
	talk_step(&k, &(struct turn){DATA, SERVER, "203.0.113.250 1025", NULL});
	g.t.r.tunables.value[TUNE_CT_EXPECT_MAX] = 1;
	begin(&other, "10.1.0.3");
	talk_step(&other, &refused);
	assert_int_equal(drops(DROP_HELPER_EXPECT), 1);
	g.t.r.tunables.value[TUNE_CT_EXPECT_MAX] = 10;
	g.tw.t.allocs_left = 0;
	talk_step(&other, &refused);
	assert_int_equal(drops(DROP_NO_BUFFER), 1);
	assert_int_equal(expected(), 1);
	g.tw.t.allocs_left = UINT_MAX;
	talk_step(&other, &(struct turn){SAY, CLIENT, "PORT 10,1,0,3,4,1\r\n", "PORT 203,0,113,250,4,1\r\n"});
	assert_int_equal(expected(), 2);
	test_walker_pass(&g.tw, 299 * TEST_SECOND);
	assert_int_equal(expected(), 2);
	test_walker_pass(&g.tw, 2 * TEST_SECOND);
	assert_int_equal(expected(), 0);
}

static void
test_print(void **state)
{
	static struct conversation k;
	char line[2][CT_EXPECT_LINE];
	const struct conn *c;

	(void)state;
	load(plain.nat, true);
	begin(&k, "10.1.0.2");
	talk_step(&k, &(struct turn){SAY, CLIENT, "PORT 10,1,0,2,4,1\r\n", "PORT 203,0,113,250,4,1\r\n"});
	assert_int_equal(conntrack_expectations(g.filters.conntrack, g.tw.w.env.now, line, 0), 1);
	assert_int_equal(conntrack_expectations(g.filters.conntrack, g.tw.w.env.now, line, 2), 1);
	assert_string_equal(line[0],
		"300 proto=6 src=8.8.8.8 dst=203.0.113.250 sport=0 dport=1025 mask-src=255.255.255.255 mask-dst=255.255.255.255 "
		"sport=0 dport=65535 master-src=10.1.0.2 master-dst=8.8.8.8 sport=1050 dport=21 class=0 helper=ftp");
	c = conntrack_at(g.filters.conntrack, 1);
	assert_true(conntrack_needs_slow_way(c));
	conntrack_print(c, g.tw.w.env.now, line[0], sizeof(line[0]));
	assert_string_equal(line[0],
		"tcp      6 300 ESTABLISHED src=10.1.0.2 dst=8.8.8.8 sport=1050 dport=21 src=8.8.8.8 dst=203.0.113.250 sport=21 dport=1050 "
		"[ASSURED] mark=0 helper=ftp use=2");
}

/* Two clients with the same port: the second gets another, and keeps it when the command is sent again. */
static void
test_port_is_taken(void **state)
{
	static struct conversation a, b;
	static const struct turn wanted = {SAY, CLIENT, "PORT 10,1,0,2,4,1\r\n", "PORT 203,0,113,250,4,1\r\n"};
	static const char line[] = "PORT 10,1,0,3,4,1\r\n";
	struct test_segment s = {.flags = ACK, .win = 8192, .len = sizeof(line) - 1};
	unsigned high, low, high2, low2;
	char text[80];

	(void)state;
	load(plain.nat, true);
	begin(&a, "10.1.0.2");
	talk_step(&a, &wanted);
	begin(&b, "10.1.0.3");
	s.seq = b.end[CLIENT].next;
	s.ack = b.end[CLIENT].got;
	send_segment(&b, CLIENT, &s, line);
	assert_int_equal(b.out.n, 1);
	assert_int_equal(sscanf((char *)b.out.f[0].data + 40, "PORT 203,0,113,250,%u,%u\r", &high, &low), 2);
	assert_true(high << 8 | low && (high != 4 || low != 1));
	send_segment(&b, CLIENT, &s, line);
	assert_int_equal(sscanf((char *)b.out.f[0].data + 40, "PORT 203,0,113,250,%u,%u\r", &high2, &low2), 2);
	assert_int_equal(high << 8 | low, high2 << 8 | low2);
	snprintf(text, sizeof(text), "203.0.113.250 %u", high << 8 | low);
	talk_step(&b, &(struct turn){DATA, SERVER, text, "8.8.8.8:20>10.1.0.3:1025"});
	talk_step(&a, &(struct turn){DATA, SERVER, "203.0.113.250 1025", "8.8.8.8:20>10.1.0.2:1025"});
}

/* A super-packet with an unfinished checksum: its length counts in it, nothing else. */
static void
test_partial(void **state)
{
	static struct conversation k;
	const char line[] = "PORT 10,1,0,2,4,1\r\n";
	struct test_segment s = {.flags = ACK, .win = 8192, .len = 3000};
	const struct test_ip ip = {.src = "10.1.0.2", .dst = "8.8.8.8"};
	uint8_t buf[GATE_FRAME], payload[3000];
	uint16_t sum;
	struct pkt *p;
	size_t len;

	(void)state;
	memset(payload, 'x', sizeof(payload));
	memcpy(payload, line, strlen(line));
	load(plain.nat, true);
	begin(&k, "10.1.0.2");
	s.seq = k.end[CLIENT].next;
	s.ack = k.end[CLIENT].got;
	len = test_segment_saying(buf, &ip, k.end[CLIENT].port, 21, &s, payload);
	sum = csum_fold(csum_pseudo4(inet_addr(ip.src), inet_addr(ip.dst), IPPROTO_TCP, (uint16_t)(len - 20)));
	memcpy(buf + 36, &sum, sizeof(sum));
	p = test_chain(&g.tw.t, buf, len, (const size_t[]){256, 1000, 1000}, 3);
	p->flags |= PKT_CSUM_PARTIAL;
	p->csum_start = 20;
	p->csum_offset = 16;
	p->gso_type = PKT_GSO_TCP4;
	p->gso_size = 1300;
	p->router = &g.t.r;
	p->in = &g.t.ifaces[TEST_ETH1];
	router_receive(&g.tw.w, p);
	test_walker_run(&g.tw);
	p = test_sent(&g.tw, NULL);
	assert_non_null(p);
	assert_int_equal(pkt_len(p), len + 5);
	assert_int_equal(p->gso_size, 1300);
	sum = csum_fold(csum_pseudo4(inet_addr("203.0.113.250"), inet_addr(ip.dst), IPPROTO_TCP, (uint16_t)(len + 5 - 20)));
	assert_memory_equal((uint8_t *)pkt_data(p) + 36, &sum, sizeof(sum));
	assert_memory_equal(rte_pktmbuf_read(pkt_mbuf(p), 40, 26, buf), "PORT 203,0,113,250,4,1\r\nxx", 26);
	assert_int_equal(ntohs(pkt_ip4(p)->tot_len), len + 5);
	env_pkt_free(&g.tw.w.env, p);
}

/* The longest packet there is does not get longer. */
static void
test_too_long(void **state)
{
	static struct conversation k;
	struct test_segment s = {.flags = ACK, .win = 8192, .len = 65535 - 40};
	uint8_t *buf = malloc(70000), *payload = malloc(s.len);
	const struct test_ip ip = {.src = "10.1.0.2", .dst = "8.8.8.8"};
	struct pkt *p;
	size_t len;

	(void)state;
	memset(payload, 'x', s.len);
	memcpy(payload, "PORT 10,1,0,2,4,1\r\n", 19);
	load(plain.nat, true);
	begin(&k, "10.1.0.2");
	s.seq = k.end[CLIENT].next;
	s.ack = k.end[CLIENT].got;
	/* a window that holds it */
	send_segment(&k, SERVER, &(struct test_segment){.flags = ACK, .seq = k.end[SERVER].next, .ack = k.end[SERVER].got, .win = 65535}, NULL);
	len = test_segment_saying(buf, &ip, k.end[CLIENT].port, 21, &s, payload);
	g.t.ifaces[TEST_ETH0].mtu = 65535;
	p = test_chain(&g.tw.t, buf, len, (const size_t[]){40000}, 1);
	p->router = &g.t.r;
	p->in = &g.t.ifaces[TEST_ETH1];
	router_receive(&g.tw.w, p);
	test_walker_run(&g.tw);
	assert_null(test_sent(&g.tw, NULL));
	assert_int_equal(drops(DROP_HELPER_LENGTH), 1);
	assert_int_equal(expected(), 0);
	free(buf);
	free(payload);
}

/* Options that end in the middle, where numbers have to be moved. */
static void
test_bad_options(void **state)
{
	static const uint8_t bad[4] = {1, 1, 5, 40};
	static struct conversation k;
	static const struct turn port = {SAY, CLIENT, "PORT 10,1,0,2,4,1\r\n", "PORT 203,0,113,250,4,1\r\n"};
	struct test_segment s = {.flags = ACK, .win = 8192, .options = bad, .options_len = sizeof(bad)};

	(void)state;
	load(plain.nat, true);
	begin(&k, "10.1.0.2");
	s.seq = k.end[CLIENT].next;
	s.ack = k.end[CLIENT].got;
	send_segment(&k, CLIENT, &s, NULL);
	assert_int_equal(k.out.n, 1);
	talk_step(&k, &port);
	s.seq = k.end[CLIENT].next;
	send_segment(&k, CLIENT, &s, NULL);
	assert_int_equal(k.out.n, 0);
	assert_int_equal(drops(DROP_TCP_OPTIONS), 1);
}

/* ---- who gets one ---- */

static void
configure(uint16_t port, bool translate)
{
	g.t.r.helpers[0] = (struct router_helper){.number = helper_find("ftp", 0), .translate = translate, .n_ports = 1, .ports = {port}};
	g.t.r.n_helpers = 1;
}

static void
test_assignment(void **state)
{
	static const struct {
		uint16_t port;
		bool translate, by_rule;
		const char *gets;
		uint32_t expected;
	} rows[] = {
		{21, true, false, "PORT 203,0,113,250,4,1\r\n", 1},
		{21, false, false, "PORT 10,1,0,2,4,1\r\n", 1},
		{2121, true, false, "PORT 10,1,0,2,4,1\r\n", 0},
		{2121, true, true, "PORT 203,0,113,250,4,1\r\n", 1},
		{2121, false, true, "PORT 10,1,0,2,4,1\r\n", 1},
	};
	static struct conversation k;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		const struct turn port = {SAY, CLIENT, "PORT 10,1,0,2,4,1\r\n", rows[i].gets};

		load(plain.nat, rows[i].by_rule);
		configure(rows[i].port, rows[i].translate);
		begin(&k, "10.1.0.2");
		talk_step(&k, &port);
		assert_int_equal(expected(), rows[i].expected);
		conntrack_flush(&g.tw.w.env, g.filters.conntrack);
		gate_unload(&g);
	}
	g.t.r.n_helpers = 0;
}

static void
test_names(void **state)
{
	(void)state;
	assert_int_equal(helper_find("ftp", IPPROTO_UDP), 0);
	assert_int_equal(helper_find("irc", 0), 0);
	assert_int_equal(helper_find("ftp", IPPROTO_TCP), helper_find("ftp", 0));
	assert_string_equal(helper_at(helper_find("tftp", 0))->name, "tftp");
	assert_int_equal(helper_at(helper_find("tftp", 0))->port, 69);
}

/* ---- TFTP ---- */

static void
test_tftp(void **state)
{
	static const struct {
		uint8_t code;
		uint32_t expected;
	} rows[] = {{1, 1}, {2, 1}, {3, 0}, {5, 0}};
	static struct gate_frames out;
	const struct test_ip to = {.src = "10.1.0.2", .dst = "8.8.8.8"}, from = {.src = "8.8.8.8", .dst = "203.0.113.250"};
	uint8_t buf[256];
	size_t len, whole;

	(void)state;
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		const uint8_t request[8] = {3000 >> 8, 3000 & 0xff, 0, 69, 0, 8 + 4};
		uint8_t payload[12];

		load(plain.nat, true);
		memcpy(payload, request, 8);
		memcpy(payload + 8, (uint8_t[]){0, rows[i].code, 'x', 0}, 4);
		len = whole = test_ip4(buf, &to, IPPROTO_UDP, payload, sizeof(payload));
		gate_inject(&g, INSIDE, buf, len, &whole, 1, &out);
		assert_int_equal(out.n, 1);
		assert_int_equal(expected(), rows[i].expected);
		len = whole = test_udp(buf, &from, 40000, 3000, 20);
		gate_inject(&g, OUTSIDE, buf, len, &whole, 1, &out);
		assert_int_equal(out.n > 0 && out.f[0].side == INSIDE, rows[i].expected);
		if (rows[i].expected)
			assert_int_equal(number(out.f[0].data + 16), 0x0a010002);
		assert_int_equal(expected(), 0);
		conntrack_flush(&g.tw.w.env, g.filters.conntrack);
		gate_unload(&g);
	}
}

static int
setup(void **state)
{
	(void)state;
	return gate_init(&g);
}

static int
teardown(void **state)
{
	(void)state;
	return gate_fini(&g);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_names),
		TEST(test_talks),
		TEST(test_chains),
		TEST(test_kernel),
		TEST(test_limits),
		TEST(test_print),
		TEST(test_port_is_taken),
		TEST(test_partial),
		TEST(test_too_long),
		TEST(test_bad_options),
		TEST(test_assignment),
		TEST(test_tftp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
