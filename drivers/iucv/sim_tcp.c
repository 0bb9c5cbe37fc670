/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP without memory (RFC 9293 as seen from outside).
 *
 * The trick is the initial sequence number: the answer to a SYN carries the sequence number of the
 * SYN itself. Both streams of an echo connection then have the same numbers, byte for byte, and the
 * number of an echoed byte is that of the byte received: no table of connections, and segments may
 * be under way in any number. A discard connection sends no data: its next number is what the other
 * side acknowledges.
 *
 * A simulated guest takes every segment for the next one expected. What that cannot do: a lost
 * segment is acknowledged by the one after it.
 *
 * No options are offered but the segment size, so that later segments carry none that would have to
 * be understood (time stamps, SACK).
 */
#include "drivers/iucv/sim_tcp.h"

#include "fabric/base/csum.h"

#include <netinet/tcp.h>

enum { TCP_BASE = sizeof(struct tcphdr), MSS_OPTION = 4 };

static void
load(const struct pkt *p, struct tcphdr *t)
{
	memcpy(t, pkt_l4(p), sizeof(*t));
}

static void
store(struct pkt *p, const struct tcphdr *t)
{
	memcpy(pkt_l4(p), t, sizeof(*t));
}

void
sim_shorten(struct env *env, struct pkt *p, uint32_t len)
{
	struct rte_mbuf *m = pkt_mbuf(p), *rest = m->next;
	struct iphdr ip;

	if (rest) {
		rest->pkt_len = m->pkt_len - m->data_len;
		rest->nb_segs = (uint16_t)(m->nb_segs - 1);
		m->next = NULL;
		m->nb_segs = 1;
		env_pkt_free(env, pkt_of(rest));
	}
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	memcpy(&ip, pkt_data(p), sizeof(ip));
	ip.check = csum_replace2(ip.check, ip.tot_len, htons((uint16_t)len));
	ip.tot_len = htons((uint16_t)len);
	memcpy(pkt_data(p), &ip, sizeof(ip));
}

/* From what came to the frame of any answer: ports swapped, a window, nothing urgent, ACK. */
static struct tcphdr
reply_to(const struct tcphdr *t)
{
	return (struct tcphdr){
		.source = t->dest,
		.dest = t->source,
		.doff = TCP_BASE / 4,
		.ack = 1,
		.window = 0xffff,
	};
}

/* Sends `t` with `options` bytes that lie behind the header already, and no data. */
static void
send_bare(struct env *env, struct pkt *p, struct tcphdr *t, unsigned options)
{
	uint16_t len = (uint16_t)(TCP_BASE + options);
	struct iphdr ip;
	uint64_t sum;

	t->doff = (uint16_t)(len / 4u) & 15;
	t->check = 0;
	store(p, t);
	sim_shorten(env, p, p->l3_len + (uint32_t)len);
	memcpy(&ip, pkt_data(p), sizeof(ip));
	sum = csum_pseudo4(ip.saddr, ip.daddr, IPPROTO_TCP, len);
	t->check = (uint16_t)~csum_fold(csum_add(sum, pkt_l4(p), len));
	store(p, t);
	p->flags = (uint16_t)((p->flags & ~PKT_CSUM_PARTIAL) | PKT_CSUM_VALID);
	p->gso_type = PKT_GSO_NONE;
	p->gso_size = 0;
	p->gso_ecn = false;
}

/* Sends `t` with the data, and the options, that came. A partial checksum knows addresses and
 * length only, which are the same. */
static void
send_echo(struct pkt *p, const struct tcphdr *was, struct tcphdr *t)
{
	uint64_t sum;

	t->doff = was->doff;
	t->check = was->check;
	if (!(p->flags & PKT_CSUM_PARTIAL)) {
		sum = (uint16_t)~was->check;
		sum += (uint16_t)~csum_fold(csum_add(0, was, TCP_BASE));
		sum += csum_fold(csum_add(0, t, TCP_BASE));
		t->check = (uint16_t)~csum_fold(sum);
	}
	store(p, t);
}

static void
answer_syn(struct env *env, struct pkt *p, const struct tcphdr *was, uint16_t mss)
{
	struct tcphdr t = reply_to(was);
	unsigned options = 0;

	t.seq = was->seq;
	t.ack_seq = htonl(ntohl(was->seq) + 1);
	t.syn = 1;
	if (p->l4_len >= TCP_BASE + MSS_OPTION) {
		uint8_t option[MSS_OPTION] = {TCPOPT_MAXSEG, TCPOLEN_MAXSEG, (uint8_t)(mss >> 8), (uint8_t)mss};

		memcpy((uint8_t *)pkt_l4(p) + TCP_BASE, option, sizeof(option));
		options = MSS_OPTION;
	}
	send_bare(env, p, &t, options);
}

/* RFC 9293, 3.5.2, group 1. */
static void
answer_reset(struct env *env, struct pkt *p, const struct tcphdr *was, uint32_t length)
{
	struct tcphdr t = reply_to(was);

	t.rst = 1;
	t.window = 0;
	if (was->ack) {
		t.ack = 0;
		t.seq = was->ack_seq;
	} else {
		t.ack_seq = htonl(ntohl(was->seq) + length);
	}
	send_bare(env, p, &t, 0);
}

static void
answer_data(struct env *env, struct pkt *p, const struct tcphdr *was, uint32_t data)
{
	struct tcphdr t = reply_to(was);

	t.ack_seq = htonl(ntohl(was->seq) + data + was->fin);
	t.fin = was->fin;
	if (ntohs(was->dest) == SIM_PORT_ECHO) {
		t.seq = was->seq;
		t.psh = was->psh;
	} else {
		t.seq = was->ack_seq;
	}
	if (ntohs(was->dest) == SIM_PORT_ECHO && data)
		send_echo(p, was, &t);
	else
		send_bare(env, p, &t, 0);
}

bool
sim_tcp_answer(struct env *env, struct pkt *p, uint16_t mss)
{
	uint32_t data = pkt_len(p) - p->l3_len - p->l4_len;
	struct tcphdr t;

	if (p->l4_len < TCP_BASE)
		return false;
	load(p, &t);
	/* Two servers must not talk to each other for ever. */
	if (t.rst || ntohs(t.source) == SIM_PORT_ECHO || ntohs(t.source) == SIM_PORT_DISCARD)
		return false;
	if ((ntohs(t.dest) != SIM_PORT_ECHO && ntohs(t.dest) != SIM_PORT_DISCARD) || (t.syn && t.ack))
		answer_reset(env, p, &t, data + t.syn + t.fin);
	else if (t.syn)
		answer_syn(env, p, &t, mss);
	else if (t.ack && (data || t.fin))
		answer_data(env, p, &t, data);
	else
		return false;
	return true;
}
