/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that fit a rule. */
#include "tests/oracle/l4.h"
#include "tests/oracle/packets_draft.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static void
fit_addresses(struct packets *g, struct draft *d, const struct hint *h)
{
	d->iface = h->iface >= 0 ? (uint8_t)h->iface : (uint8_t)rnd(&g->r, IFACES);
	d->src = h->src ? h->src : draft_address_at(g, d->iface);
	if (h->iface < 0 && h->src && address_home(h->src) >= 0 && chance(&g->r, 90))
		d->iface = (uint8_t)address_home(h->src);
	if (h->dst)
		d->dst = h->dst;
	else if (h->local || h->made_here || (h->out < 0 && chance(&g->r, 15)))
		d->dst = draft_address_at(g, -1);
	else if (h->out >= 0)
		d->dst = draft_address_at(g, h->out);
	else
		d->dst = chance(&g->r, 90) ? draft_address_at(g, (d->iface + 1 + (int)rnd(&g->r, 2)) % IFACES) : draft_address(g);
	if (chance(&g->r, 5))
		d->src = htonl(ntohl(d->src) + (chance(&g->r, 50) ? 1 : (uint32_t)-1));
	if (chance(&g->r, 5))
		d->dst = htonl(ntohl(d->dst) + (chance(&g->r, 50) ? 1 : (uint32_t)-1));
}

static void
fit_l4(struct packets *g, struct draft *d, const struct hint *h)
{
	static const uint8_t protos[] = {6, 6, 17, 17, 1, 1, 99, 6, 17, 132, 132, 47, 136};

	d->proto = h->proto ? h->proto : protos[rnd(&g->r, g->rs->nat ? sizeof(protos) : 7)];
	d->sport = h->sport && !chance(&g->r, 15) ? h->sport : draft_port(g);
	d->dport = h->dport && !chance(&g->r, 15) ? h->dport : draft_port(g);
	d->seq = (uint32_t)rnd64(&g->r);
	d->flags = chance(&g->r, 60) ? SYN : (uint8_t)(rnd64(&g->r) & 0x3f);
	if (h->flags_mask && chance(&g->r, 90))
		d->flags = (uint8_t)((rnd64(&g->r) & 0x3f & ~h->flags_mask) | h->flags);
	d->ack = d->flags & ACK ? (uint32_t)rnd64(&g->r) : 0;
	d->type = h->icmp ? h->icmp_type : PICK(&g->r, ((const uint8_t[]){8, 8, 8, 0, 13, 3, 17}));
	d->code = h->icmp ? h->icmp_code : 0;
	if (chance(&g->r, 5))
		d->code++;
	d->rest = htonl((uint32_t)draft_port(g) << 16 | rnd(&g->r, 4));
	if (d->proto == IPPROTO_SCTP) {
		d->type = chance(&g->r, 80) ? SCTP_INIT : (uint8_t)rnd(&g->r, 16);
		d->ack = d->seq;
		d->seq = chance(&g->r, 95) ? 0 : d->seq;
	}
	if (d->proto != IPPROTO_TCP)
		return;
	if (h->mss)
		draft_mss(d, h->mss + (uint16_t)(chance(&g->r, 20) ? rnd(&g->r, 3) - 1 : 0));
	else if (h->tcp_option == 2)
		draft_mss(d, 1000);
	else if (h->tcp_option)
		draft_tcp_option(d, (uint8_t[]){h->tcp_option, 4, 0, 0}, h->tcp_option == 1 ? 1 : h->tcp_option == 4 ? 2 : 4);
	else if (d->flags & SYN)
		draft_syn_options(g, d);
	draft_pad_tcp(d);
}

/* An ICMP message of the router: a ping's answer, or an error that the packet causes. */
static void
cause_icmp(struct packets *g, struct draft *d, const struct hint *h)
{
	uint8_t type = h->icmp_type;

	d->proto = IPPROTO_ICMP;
	d->type = 8;
	d->code = 0;
	if (h->icmp ? h->icmp_type == 0 : chance(&g->r, 40))
		return;
	if (!h->icmp)
		type = PICK(&g->r, ((const uint8_t[]){14, 11, 11, 3}));
	if (type == 14) {
		d->type = 13;
		d->payload = 12;
	} else if (type == 11) {
		d->ttl = 1;
		d->proto = PICK(&g->r, ((const uint8_t[]){1, 6, 17, 99}));
		d->dst = draft_address_at(g, (d->iface + 1) % IFACES);
	} else if (type == 3) {
		d->proto = h->icmp_code == 2 ? 99 : IPPROTO_UDP;
	}
}

/* A packet that makes the router itself send has what the rule wants turned round. */
static void
turn_round(struct packets *g, struct draft *d, const struct hint *h)
{
	uint16_t sport = d->sport;

	if (!h->made_here || chance(&g->r, 15))
		return;
	if (h->dst)
		d->src = h->dst;
	else if (h->out >= 0)
		d->src = draft_address_at(g, h->out);
	else if (address_home(d->src) < 0)
		d->src = draft_address_at(g, (int)rnd(&g->r, IFACES));
	d->dst = h->src && address_home(h->src) == -1 ? h->src : draft_address_at(g, -1);
	if (address_home(d->src) >= 0)
		d->iface = (uint8_t)address_home(d->src);
	d->sport = d->dport;
	d->dport = sport;
	if (d->proto != IPPROTO_TCP)
		cause_icmp(g, d, h);
	else /* a reset has ACK when what it answers has not */
		d->flags = h->flags_mask & ACK ? (h->flags & ACK ? SYN : ACK) : chance(&g->r, 50) ? SYN : ACK;
}

static size_t
headers(const struct draft *d)
{
	size_t l4 = d->proto == IPPROTO_TCP ? 20u + d->n_tcp_options : d->proto == IPPROTO_UDP || d->proto == IPPROTO_ICMP ? 8 : 0;

	return 20 + d->n_ip_options + l4;
}

void
packets_fit_rest(struct packets *g, struct draft *d, const struct hint *h)
{
	if (h->ttl && chance(&g->r, 85))
		d->ttl = h->ttl;
	if (h->has_tos && chance(&g->r, 85))
		d->tos = h->tos;
	if (h->word && chance(&g->r, 85)) {
		d->word = h->word;
		d->payload = (uint16_t)rnd_between(&g->r, 10, 200);
	}
	if (h->length && chance(&g->r, 85)) {
		uint16_t want = h->length + (uint16_t)(chance(&g->r, 20) ? rnd(&g->r, 3) - 1 : 0);

		d->payload = want > headers(d) ? (uint16_t)(want - headers(d)) : 0;
	}
	if (h->later_fragment && chance(&g->r, 90))
		d->frag_off = (uint16_t)rnd_between(&g->r, 1, 100);
}

/* The flow goes the other way: the rule's packet is the answer. */
static void
turn_flow(struct draft *d)
{
	uint32_t address = d->src;
	uint16_t port = d->sport;

	if (address_home(d->dst) < 0)
		return;
	d->iface = (uint8_t)address_home(d->dst);
	d->src = d->dst;
	d->dst = address;
	d->sport = d->dport;
	d->dport = port;
}

void
packets_fit(struct packets *g, struct draft *d, struct frame *f)
{
	const struct hint hint = packets_hint(g), *h = &hint;
	struct flow *flow;

	draft_start(g, d);
	fit_addresses(g, d, h);
	fit_l4(g, d, h);
	turn_round(g, d, h);
	packets_fit_rest(g, d, h);
	d->from = h->mac && chance(&g->r, 90) ? h->mac - 1 : d->from;
	d->to = h->to && chance(&g->r, 90) ? h->to : d->to;
	if (h->answered && h->local && !h->proto && d->proto != IPPROTO_TCP)
		cause_icmp(g, d, &(const struct hint){.icmp = true});
	if ((h->answered || h->reply) && d->proto == IPPROTO_TCP) {
		d->flags = h->local ? ACK : SYN;
		d->ack = h->local ? (uint32_t)rnd64(&g->r) : 0;
	}
	if (h->reply && !h->made_here && chance(&g->r, 90))
		turn_flow(d);
	packets_crowd(g, d);
	draft_spoil(g, d);
	draft_build(d, f);
	if (!flow_starts(d, h->answered && h->local))
		return;
	flow = flow_new(g, d);
	flow_remember(g, flow, 0, f);
	flow->end[0].got = d->ack;
	if (h->answered && address_home(d->dst) == -1)
		flow->step = 2; /* its reset is an answer too */
	g->follow = *h;
	g->n_follow = h->answered || h->reply || h->related || h->connmarked || chance(&g->r, 15) ? 4 : 0;
}
