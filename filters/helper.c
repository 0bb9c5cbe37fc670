/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/helper.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "filters/conntrack_tcp.h"

#include <rte_byteorder.h>

enum { PORT_ATTEMPTS = 128 };

#define ROW(id, number, ip_port, expectations, seconds, ...) \
	{#id, number, ip_port, expectations, seconds, helper_##id},
static const struct helper helpers[] = {KNOWN_HELPERS(ROW)};
#undef ROW

static_assert(RTE_DIM(helpers) <= ROUTER_HELPERS, "a router has room for each");

uint16_t
helper_find(const char *name, uint8_t proto)
{
	uint16_t i;

	for (i = 0; i < RTE_DIM(helpers); i++)
		if (strcmp(helpers[i].name, name) == 0 &&
			(proto == 0 || helpers[i].proto == proto))
			return i + 1;
	return 0;
}

const struct helper *
helper_at(uint16_t number)
{
	return &helpers[number - 1];
}

static const struct router_helper *
configured(const struct router *r, uint16_t number)
{
	unsigned i;

	for (i = 0; i < r->n_helpers; i++)
		if (r->helpers[i].number == number)
			return &r->helpers[i];
	return NULL;
}

static bool
has_port(const struct router_helper *h, uint16_t port)
{
	unsigned i;

	for (i = 0; i < h->n_ports; i++)
		if (h->ports[i] == port)
			return true;
	return false;
}

/* As __nf_ct_try_assign_helper(): by the port of the server itself, behind any translation. */
static void
assign(const struct router *r, struct conn *c)
{
	const struct ct_tuple *reply = &c->tuple[CT_DIR_REPLY];
	unsigned i;

	if (c->status & (CT_CONFIRMED | CT_HELPER | CT_EXPECTED))
		return;
	c->helper = 0;
	for (i = 0; i < r->n_helpers; i++) {
		const struct router_helper *h = &r->helpers[i];

		if (helper_at(h->number)->proto == c->proto && has_port(h, ntohs(reply->sport)))
			c->helper = h->number;
	}
}

static enum drop_reason
help(struct env *env, const struct router *r, struct pkt *p, struct conn *c)
{
	const struct router_helper *h = configured(r, c->helper);
	struct helper_packet k = {.env = env,
		.ct = r->live->filters->conntrack,
		.p = p,
		.c = c,
		.dir = ct_dir(p),
		.helper = helper_at(c->helper)};

	if (!conn_help_get(k.ct, c))
		return DROP_NO_BUFFER;
	k.memory = c->help->memory;
	k.translate = c->status & (CT_SRC_NAT | CT_DST_NAT) && (!h || h->translate);
	return k.helper->packet(&k);
}

enum drop_reason
helper_packet(struct env *env, const struct router *r, struct pkt *p)
{
	struct conn *c = conntrack_of(r, p);
	enum drop_reason why = DROP_NONE;

	/* An ICMP error about it is not of its protocol. */
	if (!c || p->proto != c->proto || p->flags & PKT_FRAGMENT)
		return DROP_NONE;
	if (r->n_helpers > 0)
		assign(r, c);
	if (!conntrack_needs_slow_way(c))
		return DROP_NONE;
	record_refuse(p->recorder, "helper");
	if (c->helper && helper_at(c->helper)->proto == p->proto && !(c->status & CT_DYING))
		why = help(env, r, p, c);
	if (why || !(c->status & CT_SEQ_ADJUST) || p->l4_len == 0)
		return why;
	return ct_seq_adjust(p, c) ? DROP_NONE : DROP_TCP_OPTIONS;
}

int
helper_expect(struct helper_packet *k, struct ct_expected *e)
{
	e->timeout = k->helper->timeout * CT_SECOND;
	e->most = k->helper->most;
	return conntrack_expect(k->env, k->ct, k->c, e);
}

static int
try_port(struct helper_packet *k, struct ct_expected *e, uint16_t port)
{
	e->tuple.dport = htons(port);
	return helper_expect(k, e);
}

/* As nf_nat_exp_find_port(). */
uint16_t
helper_expect_translated(struct helper_packet *k, struct ct_expected *e, uint16_t first)
{
	uint16_t wanted = ntohs(e->port), port = wanted;
	unsigned above = UINT16_MAX - wanted, i;
	int rc;

	e->follow = true;
	e->dir = !k->dir;
	if (first && try_port(k, e, first) == 0)
		return first;
	rc = try_port(k, e, port);
	for (i = 0; rc == -EBUSY && above > 0 && i < PORT_ATTEMPTS; i++) {
		port = (uint16_t)(wanted + 1 + env_random(k->env) % above);
		rc = try_port(k, e, port);
	}
	return rc == 0 ? port : 0;
}

/* The layer 4 checksum of a whole packet whose payload was changed; a partial one has the length
 * only. */
static void
sum_tcp(struct pkt *p, uint16_t was_len)
{
	struct iphdr *ip = pkt_ip4(p);
	uint8_t *at = (uint8_t *)pkt_l4(p) + offsetof(struct tcphdr, check);
	uint16_t len = (uint16_t)(pkt_len(p) - p->l3_len), sum = 0;
	uint64_t pseudo = csum_pseudo4(ip->saddr, ip->daddr, IPPROTO_TCP, len);

	if (p->flags & PKT_CSUM_PARTIAL) {
		memcpy(&sum, at, sizeof(sum));
		sum = csum_fold((uint64_t)sum + (uint16_t)~htons(was_len) + htons(len));
	} else {
		memcpy(at, &sum, sizeof(sum));
		sum = (uint16_t)~csum_fold(pkt_chain_sum(p, p->l3_len, len, pseudo));
	}
	memcpy(at, &sum, sizeof(sum));
}

enum drop_reason
helper_rewrite(struct helper_packet *k, uint32_t off, uint32_t len, const void *text, uint32_t n)
{
	struct pkt *p = k->p;
	struct iphdr *ip = pkt_ip4(p);
	uint16_t was_len = (uint16_t)(pkt_len(p) - p->l3_len), total;
	struct tcphdr h;

	if (!pkt_l4_checksum_ok(p))
		return DROP_NONE;
	if (pkt_len(p) - len + n > UINT16_MAX)
		return DROP_HELPER_LENGTH;
	if (pkt_chain_replace(k->env, p, (uint32_t)p->l3_len + p->l4_len + off, len, text, n) < 0)
		return DROP_NO_BUFFER;
	total = htons((uint16_t)pkt_len(p));
	ip->check = csum_replace2(ip->check, ip->tot_len, total);
	ip->tot_len = total;
	sum_tcp(p, was_len);
	memcpy(&h, pkt_l4(p), sizeof(h));
	ct_seq_move(k->c, k->dir, rte_be_to_cpu_32(h.seq), (int32_t)n - (int32_t)len);
	return DROP_NONE;
}
