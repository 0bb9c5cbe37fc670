/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows: what begins one, goes on with it, and is said about it. */
#include "tests/oracle/l4.h"
#include "tests/oracle/packets_draft.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <string.h>

struct flow *
flow_new(struct packets *g, const struct draft *d)
{
	unsigned at = g->n_flows < FLOWS ? g->n_flows++ : rnd(&g->r, FLOWS);
	struct flow *f = &g->flows[at];
	int8_t home = address_home(d->dst);

	g->last = at;
	memset(f, 0, sizeof(*f));
	f->proto = d->proto;
	f->end[0] = (struct end){.iface = d->iface, .addr = d->src, .port = d->sport, .seq = d->seq + 1, .peer = d->dst, .peer_port = d->dport};
	f->end[1] = (struct end){.iface = home >= 0 ? (uint8_t)home : 1, .addr = d->dst, .port = d->dport, .seq = (uint32_t)rnd64(&g->r),
		.peer = d->src, .peer_port = d->sport};
	f->end[1].got = d->seq + 1;
	if (d->proto == IPPROTO_SCTP)
		f->end[0].seq = d->ack;
	f->end[0].id = f->end[1].id = (uint16_t)(ntohl(d->rest) >> 16);
	f->seq = (uint16_t)ntohl(d->rest);
	return f;
}

void
flow_remember(struct packets *g, struct flow *f, unsigned from, const struct frame *frame)
{
	g->sent = f;
	g->sent_from = from;
	g->sent_id = ((const struct iphdr *)frame->data)->id;
	f->sent_len[from] = frame->len < QUOTE ? frame->len : QUOTE;
	memcpy(f->sent[from], frame->data, f->sent_len[from]);
}

/* `begun`: a flow may be met in its middle. */
bool
flow_starts(const struct draft *d, bool begun)
{
	uint32_t net = ntohl(d->src) >> 24;

	if (d->bad_sum || d->frag_off & 0x1fff || packet_nowhere(d->dst) || packet_nowhere(d->src) || net % 127 == 0 || net >> 4 == 14)
		return false;
	switch (d->proto) {
	case IPPROTO_TCP:
		return d->flags & SYN || (begun && d->flags == ACK);
	case IPPROTO_ICMP:
		return d->type == ICMP_ECHO;
	case IPPROTO_SCTP:
		return d->type == SCTP_INIT;
	}
	return d->proto == IPPROTO_UDP || d->proto == IPPROTO_UDPLITE || d->proto == IPPROTO_GRE || d->proto == 99;
}

static unsigned
pick_flags(struct packets *g, struct flow *f, unsigned from)
{
	if (chance(&g->r, 10))
		return PICK(&g->r, ((const uint8_t[]){SYN, SYN | ACK, RST, RST | ACK, ACK, FIN | ACK, FIN, 0, PSH | ACK, SYN | FIN, URG | ACK, ACK | FIN | PSH}));
	switch (f->step) {
	case 0:
		return from == 1 ? SYN | ACK : SYN;
	case 1:
		return ACK;
	default:
		return chance(&g->r, 20) ? FIN | ACK : chance(&g->r, 6) ? RST | ACK : chance(&g->r, 50) ? PSH | ACK : ACK;
	}
}

static void
perturb(struct packets *g, uint32_t *seq)
{
	*seq += PICK(&g->r, ((const uint32_t[]){1, -1u, 1000, -1000u, 70000, -70000u, 29201, 0x40000000, -1400u, 66000}));
}

static void
tcp_next(struct packets *g, struct flow *f, unsigned from, struct draft *d)
{
	struct end *me = &f->end[from], *peer = &f->end[!from];

	d->flags = (uint8_t)pick_flags(g, f, from);
	d->seq = me->seq;
	d->ack = d->flags & ACK ? me->got : 0;
	if (d->flags & SYN) {
		d->seq = from == 0 ? me->seq - 1 : me->seq;
		d->payload = chance(&g->r, 95) ? 0 : d->payload;
		draft_syn_options(g, d);
	} else {
		draft_data_options(g, d);
	}
	if (!(d->flags & PSH) && chance(&g->r, 80))
		d->payload = 0;
	if (chance(&g->r, 8))
		perturb(g, &d->seq);
	else if (chance(&g->r, 8))
		perturb(g, &d->ack);
	else if (!chance(&g->r, 8)) { /* else it is as if it had been lost */
		if (from == 1 && d->flags & SYN && f->step == 0) {
			me->seq++;
			f->step = 1;
		} else if (from == 0 && f->step == 1) {
			f->step = 2;
		}
		me->seq += d->payload + (d->flags & FIN ? 1 : 0);
		peer->got = me->seq;
	}
}

/* The end's tag is its `seq`; both go through the association's life. */
static void
sctp_next(struct packets *g, struct flow *f, unsigned from, struct draft *d)
{
	static const uint8_t steps[2][4] = {{SCTP_INIT, SCTP_COOKIE_ECHO, SCTP_DATA, SCTP_SHUTDOWN},
		{SCTP_INIT_ACK, SCTP_COOKIE_ACK, SCTP_DATA, SCTP_SHUTDOWN_ACK}};
	static const uint8_t others[] = {SCTP_ABORT, SCTP_SHUTDOWN_COMPLETE, SCTP_HEARTBEAT, SCTP_HEARTBEAT_ACK, SCTP_INIT, SCTP_SHUTDOWN};

	d->type = chance(&g->r, 90) ? steps[from][f->step] : PICK(&g->r, others);
	d->seq = d->type == SCTP_INIT ? 0 : f->end[!from].seq;
	d->ack = f->end[from].seq;
	if (chance(&g->r, 5))
		d->seq++;
	if (from == 1 && f->step < 3 && chance(&g->r, f->step == 2 ? 20 : 90))
		f->step++;
}

static void
flow_l4(struct packets *g, struct flow *f, unsigned from, struct draft *d)
{
	switch (f->proto) {
	case IPPROTO_TCP:
		tcp_next(g, f, from, d);
		break;
	case IPPROTO_SCTP:
		sctp_next(g, f, from, d);
		break;
	case IPPROTO_ICMP:
		d->type = from == 0 ? 8 : 0;
		d->rest = htonl((uint32_t)f->end[from].id << 16 | f->seq);
		if (from == 0 && chance(&g->r, 50))
			f->seq++;
		break;
	default:
		break;
	}
}

/* => which end of the flow sends: the one whose turn it seems to be, mostly. */
static unsigned
turn(struct packets *g, const struct flow *f)
{
	if (f->proto == IPPROTO_TCP && f->step == 0)
		return chance(&g->r, 75);
	if (f->proto == IPPROTO_TCP && f->step == 1)
		return chance(&g->r, 25);
	return chance(&g->r, 50);
}

void
flow_go_on(struct packets *g, struct draft *d, struct frame *out)
{
	struct flow *f = &g->flows[chance(&g->r, 60) && g->n_flows > 4 ? g->n_flows - 1 - rnd(&g->r, 4) : rnd(&g->r, g->n_flows)];
	bool follow = g->n_follow > 0 && g->last < g->n_flows;
	unsigned from;

	if (follow) {
		f = &g->flows[g->last];
		g->n_follow--;
	}
	from = turn(g, f);

	if (address_home(f->end[1].addr) == -1)
		from = 0; /* the router answers by itself */
	draft_start(g, d);
	d->iface = f->end[from].iface;
	d->proto = f->proto;
	d->src = f->end[from].addr;
	d->dst = f->end[from].peer;
	d->sport = f->end[from].port;
	d->dport = f->end[from].peer_port;
	flow_l4(g, f, from, d);
	if (follow && f->proto != IPPROTO_TCP)
		packets_fit_rest(g, d, &g->follow);
	if (chance(&g->r, 20))
		draft_spoil(g, d);
	draft_build(d, out);
	flow_remember(g, f, from, out);
}

void
flow_error(struct packets *g, struct draft *d, struct frame *out)
{
	static const uint8_t types[][2] = {{3, 1}, {3, 3}, {3, 4}, {11, 0}, {11, 1}, {12, 0}, {4, 0}, {5, 1}, {3, 13}, {3, 2}, {3, 0}};
	struct flow *f = &g->flows[g->n_follow && g->last < g->n_flows ? g->last : rnd(&g->r, g->n_flows)];
	unsigned from = f->sent_len[1] && chance(&g->r, 50), i = rnd(&g->r, sizeof(types) / sizeof(*types));
	uint8_t quote[QUOTE];

	if (!f->sent_len[from])
		from = !from;
	draft_start(g, d);
	memcpy(quote, f->sent[from], sizeof(quote));
	if (chance(&g->r, 10))
		quote[rnd(&g->r, 28)] ^= (uint8_t)(1u << rnd(&g->r, 8));
	d->iface = f->end[!from].iface;
	d->proto = IPPROTO_ICMP;
	d->src = chance(&g->r, 50) ? f->end[!from].addr : draft_address_at(g, d->iface);
	d->dst = chance(&g->r, 95) ? f->end[!from].peer : draft_address(g);
	d->type = types[i][0];
	d->code = types[i][1];
	d->rest = d->type == 3 && d->code == 4 ? htonl(1000) : 0;
	d->quote = quote;
	d->payload = f->sent_len[from];
	if (chance(&g->r, 40) && d->payload > 28)
		d->payload = (uint16_t)rnd_between(&g->r, chance(&g->r, 80) ? 28 : 0, d->payload);
	if (chance(&g->r, 3))
		d->bad_sum = true;
	draft_build(d, out);
}
