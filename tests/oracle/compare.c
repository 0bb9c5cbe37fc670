/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/compare.h"

#include "tests/oracle/differences.h"
#include "tests/oracle/faults.h"

#include "fabric/base/csum.h"
#include "tests/oracle/world.h"

#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMEOUT_SLACK = 1, SLOW_PACKETS = 150, AIM_EVERY = 25 };

static const uint64_t MINIMISE_NS = 4000000000u; /* of one pass */

static int
compare_counts(const void *a, const void *b)
{
	const struct count *x = a, *y = b;
	int c = strcmp(x->table, y->table);

	c = c ? c : strcmp(x->chain, y->chain);
	return c ? c : x->rule - y->rule;
}

void
counts_sort(struct counts *c)
{
	qsort(c->c, c->n, sizeof(*c->c), compare_counts);
}

static int
compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int
compare_halves(const struct conn_half *a, const struct conn_half *b)
{
	int c = compare_u64((uint64_t)a->src << 32 | a->dst, (uint64_t)b->src << 32 | b->dst);

	return c ? c : compare_u64((uint32_t)a->sport << 16 | a->dport, (uint32_t)b->sport << 16 | b->dport);
}

static int
compare_conns(const void *a, const void *b)
{
	const struct conn_row *x = a, *y = b;
	int c = compare_u64(x->proto, y->proto);

	c = c ? c : compare_halves(&x->half[0], &y->half[0]);
	c = c ? c : compare_halves(&x->half[1], &y->half[1]);
	return c ? c : compare_u64((uint64_t)x->zone_dir << 32 | x->zone, (uint64_t)y->zone_dir << 32 | y->zone);
}

void
conns_sort(struct conns *c)
{
	qsort(c->c, c->n, sizeof(*c->c), compare_conns);
}

/* ---- output ---- */

static bool
is_ours(uint32_t a)
{
	return address_home(a) == -1;
}

/* What the clock says in a timestamp reply (RFC 792): receive and transmit. */
static void
forget_time(struct frame *f)
{
	uint8_t *icmp = f->data + 20;

	if (f->len < 40 || f->data[0] != 0x45 || f->data[9] != IPPROTO_ICMP || icmp[0] != ICMP_TIMESTAMPREPLY)
		return;
	memset(icmp + 2, 0, 2);
	memset(icmp + 12, 0, 8);
}

/* By the router, perhaps in another's name: then translation gave it the address, and what was forwarded keeps its id. */
static bool
is_made(const struct frame *in, const struct frame *f)
{
	const struct iphdr *ip = (const struct iphdr *)f->data, *cause = (const struct iphdr *)in->data;

	if (is_ours(ip->saddr))
		return true;
	if (!rulesets_have_nat() || (ip->protocol != IPPROTO_ICMP && ip->protocol != IPPROTO_TCP))
		return false;
	return ip->protocol != cause->protocol || ip->id != cause->id; /* the kernel's id may be the cause's by chance */
}

/* The id of packets that the router makes is its own affair. */
static void
normalise(const struct frame *in, struct frame *f)
{
	struct iphdr *ip = (struct iphdr *)f->data;
	uint16_t was;

	if (f->len < sizeof(*ip) || !is_made(in, f))
		return;
	was = ip->id;
	ip->id = 0;
	ip->check = csum_replace2(ip->check, was, 0);
	forget_time(f);
}

static int
compare_frames(const void *a, const void *b)
{
	return ((const struct frame *)a)->iface - ((const struct frame *)b)->iface;
}

static void
sort_by_iface(struct frames *f)
{
	unsigned i, k;

	for (i = 1; i < f->n; i++)
		for (k = i; k > 0 && compare_frames(&f->f[k - 1], &f->f[k]) > 0; k--) {
			struct frame swap = f->f[k];

			f->f[k] = f->f[k - 1];
			f->f[k - 1] = swap;
		}
}

bool
outputs_equal(const struct frame *in, struct frames *a, struct frames *b)
{
	unsigned i;

	sort_by_iface(b);
	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++) {
		struct frame x = a->f[i], y = b->f[i];

		normalise(in, &x);
		normalise(in, &y);
		if (x.iface != y.iface || x.len != y.len || memcmp(x.data, y.data, x.len) != 0)
			return false;
	}
	return true;
}

static void
what_it_is(const struct frame *f, char *buf, size_t size)
{
	const struct iphdr *ip = (const struct iphdr *)f->data;
	const uint8_t *l4 = f->data + ip->ihl * 4;

	if (f->len < 28 || ntohs(ip->frag_off) & 0x1fff)
		snprintf(buf, size, "fragment");
	else if (ip->protocol == IPPROTO_ICMP)
		snprintf(buf, size, "icmp %u/%u", l4[0], l4[1]);
	else if (ip->protocol == IPPROTO_TCP && f->len >= ip->ihl * 4 + 20)
		snprintf(buf, size, "tcp%s", l4[13] & 4 ? " reset" : "");
	else
		snprintf(buf, size, "proto %u", ip->protocol);
	if (is_ours(ip->saddr))
		strncat(buf, " own", size - strlen(buf) - 1);
}

static void
sort_of_output(const struct frames *f, char *buf, size_t size)
{
	char one[48];

	if (f->n == 0) {
		snprintf(buf, size, "nothing");
		return;
	}
	what_it_is(&f->f[0], one, sizeof(one));
	snprintf(buf, size, "%s%s", one, f->n > 1 ? " ..." : "");
}

/* Which fields differ, of two packets that should be one. */
static void
sort_of_bytes(const struct frame *a, const struct frame *b, char *buf, size_t size)
{
	unsigned i, n = 0;

	if (a->iface != b->iface) {
		snprintf(buf, size, "interface");
		return;
	}
	if (a->len != b->len) {
		snprintf(buf, size, "length %+d", b->len - a->len);
		return;
	}
	buf[0] = 0;
	for (i = 0; i < a->len && n < 6; i++)
		if (a->data[i] != b->data[i] && (i < 4 || (i > 5 && i != 10 && i != 11)) && ++n)
			snprintf(buf + strlen(buf), size - strlen(buf), " byte %u", i);
}

static void
hex(const struct frame *f, char *buf, size_t size)
{
	unsigned i, n = f->len < 120 ? f->len : 120;

	buf[0] = 0;
	for (i = 0; i < n; i++)
		snprintf(buf + strlen(buf), size - strlen(buf), "%s%02x", i % 32 == 0 ? "\n        " : i % 4 == 0 ? " " : "", f->data[i]);
}

static void
describe(struct difference *d, const char *who, const struct frames *f)
{
	char line[256], bytes[600];
	unsigned i;

	if (f->n == 0)
		snprintf(d->text + strlen(d->text), sizeof(d->text) - strlen(d->text), "    %s: nothing\n", who);
	for (i = 0; i < f->n && i < 4; i++) {
		frame_print(&f->f[i], line, sizeof(line));
		hex(&f->f[i], bytes, sizeof(bytes));
		snprintf(d->text + strlen(d->text), sizeof(d->text) - strlen(d->text), "    %s: %s%s\n", who, line, bytes);
	}
}

static void
differ_output(struct difference *d, const struct frame *in, unsigned n, const struct frames *a, const struct frames *b)
{
	char what[48], x[64], y[64], line[256], bytes[600];

	d->kind = DIFFER_OUTPUT;
	d->packet = n;
	what_it_is(in, what, sizeof(what));
	if (a->n == b->n && a->n > 0) {
		struct frame p = a->f[0], q = b->f[0];

		normalise(in, &p);
		normalise(in, &q);
		sort_of_output(a, x, sizeof(x));
		sort_of_bytes(&p, &q, y, sizeof(y));
		snprintf(d->sort, sizeof(d->sort), "output: %s: %s differs in%s", what, x, y);
	} else {
		sort_of_output(a, x, sizeof(x));
		sort_of_output(b, y, sizeof(y));
		snprintf(d->sort, sizeof(d->sort), "output: %s: kernel %s, ours %s", what, x, y);
	}
	frame_print(in, line, sizeof(line));
	hex(in, bytes, sizeof(bytes));
	snprintf(d->text, sizeof(d->text), "    in: %s%s\n", line, bytes);
	describe(d, "kernel", a);
	describe(d, "ours", b);
}

/* ---- counters ---- */

static const struct rule *
rule_at(const struct kase *c, const struct count *at)
{
	int n = 0;
	unsigned i;

	for (i = 0; i < c->rs.n_rules; i++) {
		const struct rule *r = &c->rs.rules[i];

		if (c->keep_rule[i] && strcmp(r->table, at->table) == 0 && strcmp(r->chain, at->chain) == 0 && ++n == at->rule)
			return r;
	}
	return NULL;
}

static void
name_exts(const struct rule *r, char *buf, size_t size)
{
	unsigned i;

	buf[0] = 0;
	for (i = 0; r && i < r->n_exts; i++)
		snprintf(buf + strlen(buf), size - strlen(buf), " %s", ext_name(r->exts[i]));
}

static bool
same_counts(const struct kase *c, const struct counts *a, const struct counts *b, struct difference *d)
{
	char exts[96];
	unsigned i, k = 0;

	for (i = 0; i < a->n; i++) {
		const struct count *x = &a->c[i], *y;
		const struct rule *r;

		/* tables that a ruleset does not name are empty in the kernel, not missing */
		while (k < b->n && compare_counts(&b->c[k], x) < 0)
			k++;
		y = k < b->n && compare_counts(&b->c[k], x) == 0 ? &b->c[k] : NULL;
		if (!y && x->rule == 0)
			continue;
		if (y && x->packets == y->packets && x->bytes == y->bytes)
			continue;
		r = rule_at(c, x);
		name_exts(r, exts, sizeof(exts));
		d->kind = DIFFER_COUNT;
		snprintf(d->sort, sizeof(d->sort), "count: %s%s", x->rule ? "rule with" : "policy", exts);
		snprintf(d->text, sizeof(d->text), "    %s %s %d: kernel %llu packets, %llu bytes; ours %llu packets, %llu bytes\n    %s\n", x->table,
			x->chain, x->rule, (unsigned long long)x->packets, (unsigned long long)x->bytes,
			(unsigned long long)(y ? y->packets : 0), (unsigned long long)(y ? y->bytes : 0), r ? r->text : "");
		return false;
	}
	return true;
}

/* ---- connections ---- */

static void
print_conn(const struct conn_row *c, char *buf, size_t size)
{
	char a[4][16];
	unsigned i;

	for (i = 0; i < 4; i++)
		inet_ntop(AF_INET, i & 1 ? &c->half[i / 2].dst : &c->half[i / 2].src, a[i], sizeof(a[i]));
	snprintf(buf, size, "proto %u %s timeout %lld %s:%u > %s:%u (%llu/%llu) reply %s:%u > %s:%u (%llu/%llu)%s%s mark 0x%x zone %u/%u", c->proto,
		c->state, (long long)c->timeout, a[0], c->half[0].sport, a[1], c->half[0].dport,
		(unsigned long long)c->half[0].packets, (unsigned long long)c->half[0].bytes, a[2], c->half[1].sport, a[3],
		c->half[1].dport, (unsigned long long)c->half[1].packets, (unsigned long long)c->half[1].bytes,
		c->seen_reply ? "" : " [UNREPLIED]", c->assured ? " [ASSURED]" : "", c->mark, c->zone, c->zone_dir);
}

static const char *
conn_differs(const struct conn_row *a, const struct conn_row *b)
{
	if (strcmp(a->state, b->state) != 0)
		return "state";
	if (a->seen_reply != b->seen_reply)
		return "seen reply";
	if (a->assured != b->assured)
		return "assured";
	if (a->mark != b->mark)
		return "mark";
	if (llabs(a->timeout - b->timeout) > TIMEOUT_SLACK)
		return "timeout";
	if (a->half[0].packets != b->half[0].packets || a->half[1].packets != b->half[1].packets)
		return "packets";
	if (a->half[0].bytes != b->half[0].bytes || a->half[1].bytes != b->half[1].bytes)
		return "bytes";
	return NULL;
}

static bool
differ_conn(struct difference *d, const char *what, const struct conn_row *a, const struct conn_row *b)
{
	const struct conn_row *any = a ? a : b;
	char x[400] = "none", y[400] = "none";

	d->kind = DIFFER_CONN;
	if (a)
		print_conn(a, x, sizeof(x));
	if (b)
		print_conn(b, y, sizeof(y));
	snprintf(d->sort, sizeof(d->sort), "connection: proto %u: %s", any->proto, what);
	snprintf(d->text, sizeof(d->text), "    kernel: %s\n    ours:   %s\n", x, y);
	return false;
}

static bool
same_conns(const struct conns *a, const struct conns *b, struct difference *d)
{
	unsigned i = 0, k = 0;
	const char *what;
	int c;

	while (i < a->n || k < b->n) {
		c = i == a->n ? 1 : k == b->n ? -1 : compare_conns(&a->c[i], &b->c[k]);
		if (c < 0)
			return differ_conn(d, "kernel only", &a->c[i], NULL);
		if (c > 0)
			return differ_conn(d, "ours only", NULL, &b->c[k]);
		what = conn_differs(&a->c[i], &b->c[k]);
		if (what)
			return differ_conn(d, what, &a->c[i], &b->c[k]);
		i++;
		k++;
	}
	return true;
}

/* ---- a case ---- */

static struct frames out_a, out_b;
static struct counts counts_b;
static struct conns conns_a, conns_b;

/* The same rules with another algorithm; takes `text`. */
static char *
replace_bm(char *text)
{
	char *out = NULL, *at = text, *next;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	for (; (next = strstr(at, "--algo bm")); at = next + strlen("--algo bm"))
		fprintf(f, "%.*s--algo kmp", (int)(next - at), at);
	fputs(at, f);
	fclose(f);
	free(text);
	return out;
}

static bool
load(struct kase *c, struct difference *d)
{
	char *text = ruleset_print(&c->rs, c->keep_rule), *ours, why[2][600] = {"", ""};
	int a, b;

	if (c->without_bm)
		text = replace_bm(text);
	ours = fault_rules(text);
	a = kernel_side.load(text, c->rs.sets, why[0], sizeof(why[0]));
	b = our_side.load(ours, c->rs.sets, why[1], sizeof(why[1]));
	free(text);
	free(ours);
	if (a == 0 && b == 0)
		return true;
	d->kind = a == b ? DIFFER_NOT : DIFFER_LOAD;
	snprintf(d->sort, sizeof(d->sort), "load: %s", a == 0 ? "ours refuses" : "kernel refuses");
	snprintf(d->text, sizeof(d->text), "    kernel: %s\n    ours: %s\n", a ? why[0] : "loads", b ? why[1] : "loads");
	return false;
}

/* Connection counts are cleaned up at most once a tick (__nf_conncount_add() in net/netfilter/nf_conncount.c). */
static void
wait_tick(void)
{
	struct timespec before, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
	do
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	while (now.tv_nsec == before.tv_nsec);
}

static bool
one_packet(struct kase *c, unsigned i, struct difference *d)
{
	struct frame faulty;

	if (c->rs.slow)
		wait_tick();
	frame_freshen(&c->packets[i]);
	if (!kernel_side.inject(&c->packets[i], &out_a))
		return true;
	faulty = c->packets[i];
	fault_packet(&faulty);
	our_side.inject(&faulty, &out_b);
	if (outputs_equal(&c->packets[i], &out_a, &out_b) || difference_known(&c->packets[i], &out_a, &out_b))
		return true;
	differ_output(d, &c->packets[i], i, &out_a, &out_b);
	return false;
}

bool
kase_ends_equal(struct kase *c, struct difference *d)
{
	our_side.counts(&counts_b);
	kernel_side.counts(&c->counts);
	if (!same_counts(c, &c->counts, &counts_b, d))
		return false;
	kernel_side.conns(&conns_a);
	our_side.conns(&conns_b);
	return same_conns(&conns_a, &conns_b, d);
}

/* Which rules nothing matched yet. Ours says it: a seed gives the same packets wherever the kernel agrees. */
static void
aim(struct kase *c, struct packets *g)
{
	bool hit[RULES_MAX];

	our_side.counts(&counts_b);
	ruleset_hits(&c->rs, &counts_b, hit);
	packets_aim(g, hit);
}

bool
kase_run(struct kase *c, struct packets *g, unsigned n, struct difference *d)
{
	unsigned i;

	memset(d, 0, sizeof(*d));
	if (g) {
		memset(c->keep_rule, 1, sizeof(c->keep_rule));
		memset(c->keep_packet, 1, sizeof(c->keep_packet));
		c->n_packets = 0;
	}
	c->counts.n = 0;
	if (!load(c, d))
		return d->kind == DIFFER_NOT;
	if (g && c->rs.slow && n > SLOW_PACKETS)
		n = SLOW_PACKETS;
	for (i = 0; i < (g ? n : c->n_packets); i++) {
		if (g && i % AIM_EVERY == 0)
			aim(c, g);
		if (g)
			packets_next(g, &c->packets[c->n_packets++]);
		if (c->keep_packet[i] && !one_packet(c, i, d))
			return false;
		if (g)
			packets_learn(g, &out_a);
	}
	return kase_ends_equal(c, d);
}

/* Where fragments came together, bm does not see over their borders (bm_find() in lib/ts_bm.c), kmp does. */
static bool
only_bm(struct kase *c, const struct difference *d)
{
	static struct difference without;
	unsigned i;
	bool same;

	for (i = 0; i < c->rs.n_rules && !strstr(c->rs.rules[i].text, "--algo bm"); i++)
		;
	if (d->kind == DIFFER_LOAD || i == c->rs.n_rules)
		return false;
	c->without_bm = true;
	same = kase_run(c, NULL, 0, &without);
	c->without_bm = false;
	return same;
}

bool
kase_differs(struct kase *c, struct packets *g, unsigned n, struct difference *d)
{
	if (kase_run(c, g, n, d))
		return false;
	if (!only_bm(c, d))
		return true;
	difference_is("bm");
	return false;
}

/* Counters and connections are compared one by one: which of several comes first changes with what is left out. */
static bool
same_sort(const struct difference *a, const struct difference *b)
{
	return a->kind == b->kind && (a->kind != DIFFER_OUTPUT || strcmp(a->sort, b->sort) == 0);
}

/* Leaves out pieces of what[0..n-1], halving their size, for as long as the case differs in this kind. */
static void
shrink(struct kase *c, struct difference *d, uint8_t *what, unsigned n)
{
	static struct difference got;
	const uint64_t deadline = oracle_now() + MINIMISE_NS;
	uint8_t before[PACKETS_MAX];
	unsigned size, at, kept = 0;

	for (at = 0; at < n; at++)
		kept += what[at];
	for (size = n / 2 ? n / 2 : 1; size > 0 && kept; size /= 2)
		for (at = 0; at < n; at += size) {
			unsigned part = at + size < n ? size : n - at;

			if (!memchr(what + at, 1, part) || oracle_now() > deadline)
				continue;
			memcpy(before, what + at, part);
			memset(what + at, 0, part);
			if (!kase_run(c, NULL, 0, &got) && same_sort(&got, d))
				*d = got;
			else
				memcpy(what + at, before, part);
		}
}

void
kase_minimise(struct kase *c, struct difference *d)
{
	unsigned round;

	if (d->kind == DIFFER_OUTPUT)
		c->n_packets = d->packet + 1;
	for (round = 0; round < 2; round++) {
		shrink(c, d, c->keep_packet, c->n_packets);
		shrink(c, d, c->keep_rule, c->rs.n_rules);
	}
}

void
kase_print(const struct kase *c, FILE *to)
{
	char *text = ruleset_print(&c->rs, c->keep_rule), line[256];
	unsigned i;

	if (*c->rs.sets)
		fprintf(to, "  sets:\n%s", c->rs.sets);
	fprintf(to, "  rules:\n%s", text);
	free(text);
	fprintf(to, "  packets:\n");
	for (i = 0; i < c->n_packets; i++)
		if (c->keep_packet[i]) {
			frame_print(&c->packets[i], line, sizeof(line));
			fprintf(to, "    %u: %s\n", i, line);
		}
}
