/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/talk.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, ECE = 64, ID_BITS = 7 };
static_assert(TALK_FLOWS < 1 << ID_BITS, "an IP identification names its flow");

uint32_t
talk_pick(struct talk *t, uint32_t n)
{
	t->seed ^= t->seed >> 12;
	t->seed ^= t->seed << 25;
	t->seed ^= t->seed >> 27;
	return (uint32_t)((t->seed * 0x2545f4914f6cdd1dULL) >> 33) % n;
}

void
talk_restart(struct talk *t, unsigned n)
{
	t->n = n;
	memset(t->flows, 0, sizeof(t->flows));
}

static uint8_t
any_protocol(struct talk *t)
{
	static const uint8_t others[] = {IPPROTO_ICMP, IPPROTO_SCTP, IPPROTO_GRE, 99};

	if (talk_pick(t, 30) == 0)
		return others[talk_pick(t, sizeof(others))];
	return talk_pick(t, 3) ? IPPROTO_TCP : IPPROTO_UDP;
}

/* Neighbours may share addresses and ports, and differ by protocol. */
static void
begin(struct talk *t, unsigned i)
{
	struct talk_flow *f = &t->flows[i];
	const struct talk_flow *twin = &t->flows[i ^ 1];

	memset(f, 0, sizeof(*f));
	f->proto = any_protocol(t);
	snprintf(f->client, sizeof(f->client), "10.200.%u.%u", talk_pick(t, 2), 2 + i % TALK_FLOWS);
	snprintf(f->server, sizeof(f->server), "99.0.0.%u", 1 + talk_pick(t, 3));
	f->sport = (uint16_t)(1024 + talk_pick(t, 60000));
	f->dport = (uint16_t)(80 + talk_pick(t, 3));
	if (twin->proto && twin->proto != f->proto && talk_pick(t, 2)) {
		memcpy(f->client, twin->client, sizeof(f->client));
		memcpy(f->server, twin->server, sizeof(f->server));
		f->sport = twin->sport;
		f->dport = twin->dport;
	}
	f->arrived[0] = f->seq[0] = talk_pick(t, 1u << 31) * 2;
	f->arrived[1] = f->seq[1] = talk_pick(t, 4) ? talk_pick(t, 1u << 31) * 2 : f->seq[0];
	f->edge[0] = f->seq[1] + 5000;
	f->edge[1] = f->seq[0] + 5000;
	f->stamps = talk_pick(t, 2);
	f->scaled = talk_pick(t, 3);
	f->bare = talk_pick(t, 4) == 0;
}

/* ---- TCP ---- */

static const uint8_t stamp[] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, scale[] = {1, 3, 3, 7};

static void
add_options(struct talk *t, const struct talk_flow *f, struct test_segment *s)
{
	uint32_t left = htonl(s->ack + talk_pick(t, 2000)), right = htonl(s->ack + 2000 + talk_pick(t, 3000));

	if (!f->stamps)
		return;
	memcpy(t->option, stamp, sizeof(stamp));
	if (talk_pick(t, 20) == 0) { /* something that arrived before its turn */
		t->option[2] = 5;
		memcpy(t->option + 4, &left, 4);
		memcpy(t->option + 8, &right, 4);
	}
	s->options = t->option;
	s->options_len = sizeof(t->option);
}

/* What the other end may send yet; and what that one left to this. */
static void
keep_windows(struct talk *t, struct talk_flow *f, unsigned from, struct test_segment *s)
{
	int32_t room;

	if (f->scaled)
		return;
	if (talk_pick(t, 3) == 0)
		f->edge[from] = s->ack + talk_pick(t, 3000);
	room = (int32_t)(f->edge[from] - s->ack);
	s->win = (uint16_t)(room > 0 ? room : 0);
	room = (int32_t)(f->edge[!from] - s->seq);
	if (s->len && room > 0 && talk_pick(t, 20))
		s->len = (uint16_t)(room < 1400 ? room : 1400);
}

static struct test_segment
next_segment(struct talk *t, struct talk_flow *f, unsigned from)
{
	struct test_segment s = {.seq = f->seq[from], .ack = f->seq[!from], .win = (uint16_t)(200 + talk_pick(t, 300)), .flags = ACK};

	s.len = (uint16_t)(talk_pick(t, 3) ? talk_pick(t, 1300) : 0);
	s.flags |= talk_pick(t, 2) ? PSH : 0;
	keep_windows(t, f, from, &s);
	add_options(t, f, &s);
	switch (talk_pick(t, t->calm ? 400 : 80)) {
	case 0:
		s.seq -= talk_pick(t, 3000); /* again */
		break;
	case 1:
		s.seq += talk_pick(t, 1u << 20); /* what came before is lost, or it is none of them */
		break;
	case 2:
		s.ack -= talk_pick(t, 100000);
		break;
	case 3:
		s.ack += talk_pick(t, 3000);
		break;
	case 4:
		s.win = 0;
		break;
	case 5:
		s.flags |= ECE;
		break;
	case 6:
		s.flags |= talk_pick(t, 8) ? 0 : talk_pick(t, 2) ? FIN : RST;
		break;
	case 7 ... 9: /* the very same */
		if (f->last[from].flags) {
			s = f->last[from];
			s.options = NULL;
			s.options_len = 0;
		}
		break;
	default:
		f->seq[from] += s.len;
	}
	if (s.flags & (FIN | RST))
		f->step = 4;
	f->last[from] = s;
	return s;
}

static struct test_segment
segment(struct talk *t, struct talk_flow *f, unsigned from)
{
	struct test_segment s = {.flags = ACK, .seq = f->seq[0], .ack = f->seq[1], .win = 300};

	if (f->step >= 3)
		return next_segment(t, f, from);
	f->step++;
	if (f->step == 1)
		s = (struct test_segment){.flags = SYN, .seq = f->seq[0]++, .win = 5000};
	else if (f->step == 2)
		s = (struct test_segment){.flags = SYN | ACK, .seq = f->seq[1]++, .ack = f->seq[0], .win = 5000};
	if (f->step < 3 && f->scaled) {
		s.options = scale;
		s.options_len = sizeof(scale);
	}
	return s;
}

/* ---- any packet ---- */

/* An odd one now and then: another TTL, TOS, a fragment, a wrong sum, a wrong length, another way in. */
static void
spoil(struct talk *t, struct talk_wire *w)
{
	struct iphdr *ip = (struct iphdr *)w->buf;

	switch (talk_pick(t, t->calm ? 1000 : 120)) {
	case 0:
		ip->ttl = (uint8_t)(1 + talk_pick(t, 6));
		break;
	case 1:
		ip->tos = (uint8_t)talk_pick(t, 256);
		break;
	case 2:
		ip->frag_off = htons(IP_MF);
		break;
	case 3:
		w->buf[w->len - 1] ^= 1;
		return;
	case 4:
		ip->check ^= 0x100;
		return;
	case 5:
		ip->frag_off = htons(IP_DF);
		break;
	case 6 ... 8:
		ip->ttl = (uint8_t)(58 + talk_pick(t, 8));
		break;
	case 9:
		if (ip->protocol == IPPROTO_UDP)
			w->buf[25] ^= 4;
		return;
	case 10:
		w->right = !w->right;
		return;
	case 11:
		w->stray = true;
		return;
	default:
		return;
	}
	test_fix_ip(w->buf);
}

static size_t
check_at(const struct talk_wire *w)
{
	return sizeof(struct iphdr) + (w->buf[9] == IPPROTO_TCP ? 16 : 6);
}

/* Of the layer 4 part with what stands in its checksum, as if from `src` and `dst`, folded. */
static uint16_t
sum_of(const struct talk_wire *w, uint32_t src, uint32_t dst)
{
	uint16_t len = (uint16_t)(w->len - sizeof(struct iphdr));

	return (uint16_t)csum_fold(csum_pseudo4(src, dst, w->buf[9], len) + csum_add(0, w->buf + sizeof(struct iphdr), len));
}

/* The payload is changed so that the checksum is 0 or all ones once the packet is translated. */
static void
aim_for_zero(const struct talk_flow *f, struct talk_wire *w)
{
	struct iphdr *ip = (struct iphdr *)w->buf;
	size_t check = check_at(w), at = (w->len - 2) & ~(size_t)1;
	uint16_t ports[2], seen[2] = {f->seen_sport, f->seen_dport}, word = 0;

	if (!f->known || w->right || w->len < check + 8 || at < 60 || at + 2 > w->len)
		return;
	memcpy(ports, w->buf + 20, 4);
	memcpy(w->buf + 20, seen, 4);
	memcpy(w->buf + check, &word, 2);
	memcpy(w->buf + at, &word, 2);
	word = (uint16_t)~sum_of(w, f->seen_src.s_addr, f->seen_dst.s_addr);
	memcpy(w->buf + at, &word, 2);
	memcpy(w->buf + 20, ports, 4);
	word = (uint16_t)~sum_of(w, ip->saddr, ip->daddr);
	if (word == 0 && ip->protocol == IPPROTO_UDP)
		word = 0xffff;
	memcpy(w->buf + check, &word, 2);
}

static void
offload(struct talk *t, struct talk_wire *w)
{
	struct iphdr *ip = (struct iphdr *)w->buf;
	uint16_t l4 = (uint16_t)(w->len - sizeof(*ip)), sum;

	w->vouched = talk_pick(t, 4) == 0;
	w->partial = !w->vouched && talk_pick(t, 3) == 0;
	if (!w->partial)
		return;
	sum = (uint16_t)csum_fold(csum_pseudo4(ip->saddr, ip->daddr, ip->protocol, l4));
	memcpy(w->buf + check_at(w), &sum, 2);
	if (ip->protocol == IPPROTO_TCP && w->len > 600)
		w->gso = (uint16_t)(400 + talk_pick(t, 900));
}

static void
finish(struct talk *t, const struct talk_flow *f, struct talk_wire *w)
{
	static const uint8_t none[2];

	if (talk_pick(t, 20) == 0)
		aim_for_zero(f, w);
	if (f->proto == IPPROTO_UDP && f->bare)
		memcpy(w->buf + check_at(w), none, sizeof(none));
	else
		offload(t, w);
}

bool
talk_say(struct talk *t, struct talk_wire *w)
{
	unsigned i = talk_pick(t, t->n), from;
	struct talk_flow *f = &t->flows[i];
	char src[16], dst[16];
	struct test_ip ip = {.src = f->client, .dst = f->server, .id = (uint16_t)((i + 1) | talk_pick(t, 512) << ID_BITS)};
	uint16_t sport, dport;

	if (f->proto == 0 || (f->step == 4 && talk_pick(t, 10) == 0) || talk_pick(t, 2000) == 0)
		begin(t, i);
	sport = f->sport;
	dport = f->dport;
	from = f->proto == IPPROTO_TCP && f->step < 3 ? f->step == 1 : talk_pick(t, 2);
	memset(w, 0, offsetof(struct talk_wire, buf));
	w->right = from;
	if (from && !f->known) {
		if (f->proto == IPPROTO_TCP)
			f->step = 0;
		return false;
	}
	if (from) {
		snprintf(src, sizeof(src), "%s", inet_ntoa(f->seen_dst));
		snprintf(dst, sizeof(dst), "%s", inet_ntoa(f->seen_src));
		ip.src = src;
		ip.dst = dst;
		sport = ntohs(f->seen_dport);
		dport = ntohs(f->seen_sport);
	}
	if (f->proto == IPPROTO_TCP) {
		struct test_segment s = segment(t, f, from);

		w->len = test_segment(w->buf, &ip, sport, dport, &s);
	} else if (f->proto == IPPROTO_UDP) {
		w->len = test_udp(w->buf, &ip, sport, dport, talk_pick(t, 1300));
	} else if (f->proto == IPPROTO_ICMP) {
		w->len = test_icmp(w->buf, &ip, from ? 0 : 8, 0, f->sport, 1, talk_pick(t, 1300));
	} else {
		w->len = test_ip4(w->buf, &ip, f->proto, stamp, sizeof(stamp));
	}
	if (f->proto == IPPROTO_TCP || f->proto == IPPROTO_UDP)
		finish(t, f, w);
	spoil(t, w);
	return true;
}

static void
note_arrival(struct talk_flow *f, const struct iphdr *ip, unsigned from)
{
	const struct tcphdr *tcp = (const struct tcphdr *)(ip + 1);
	uint32_t end = ntohl(tcp->seq) + ntohs(ip->tot_len) - 20u - tcp->doff * 4u + tcp->syn + tcp->fin;

	if ((int32_t)(end - f->arrived[from]) > 0 && (int32_t)(end - f->arrived[from]) < 100000)
		f->arrived[from] = end;
}

void
talk_learn(struct talk *t, const struct pkt *p, bool right)
{
	const uint8_t *frame = pkt_data(p);
	const struct iphdr *ip = (const struct iphdr *)(frame + p->l2_len);
	struct talk_flow *f;
	unsigned id;

	if (pkt_head_len(p) < p->l2_len + 28u || (p->l2_len && frame[13] != 0))
		return;
	id = ntohs(ip->id) & ((1u << ID_BITS) - 1);
	if (id == 0 || id > t->n || ip->protocol != t->flows[id - 1].proto || ip->ihl != 5 || ip->frag_off & htons(IP_OFFMASK))
		return;
	f = &t->flows[id - 1];
	if (f->proto == IPPROTO_TCP && pkt_head_len(p) >= p->l2_len + 40u)
		note_arrival(f, ip, !right);
	if (!right)
		return;
	f->known = true;
	f->seen_src.s_addr = ip->saddr;
	f->seen_dst.s_addr = ip->daddr;
	memcpy(&f->seen_sport, (const uint8_t *)ip + 20, 2);
	memcpy(&f->seen_dport, (const uint8_t *)ip + 22, 2);
}

void
talk_lost(struct talk *t)
{
	for (unsigned i = 0; i < t->n; i++)
		memcpy(t->flows[i].seq, t->flows[i].arrived, sizeof(t->flows[i].seq));
}
