/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ARP (RFC 826), as Linux net/ipv4/arp.c speaks it with its default settings: a router answers for each of its addresses on each
 * of its interfaces (arp_ignore 0), and asks with the source of what it has to send (arp_announce 0). `hidden`, of the router and of
 * an interface, keeps the addresses of that interface to itself, as the kernels of 2.2 and 2.4 had it.
 */
#include "routing/arp.h"
#include "routing/neigh_table.h"

#include "fabric/base/log.h"
#include "routing/source.h"

#include <net/ethernet.h>
#include <net/if_arp.h>

static const uint64_t LOCK_TIME = 1000000000; /* of several answers in a row the first counts */

struct arp_packet {
	uint16_t hardware, protocol;
	uint8_t hardware_len, protocol_len;
	uint16_t op;
	struct mac_addr sender_mac;
	uint8_t sender[4];
	struct mac_addr target_mac;
	uint8_t target[4];
} __attribute__((packed));

/* What came, and where. */
struct arp {
	const struct router *router;
	const struct iface *in;
	struct arp_message m;
};

static const struct mac_addr everyone = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static uint32_t
read_v4(const uint8_t *b)
{
	uint32_t v;

	memcpy(&v, b, 4);
	return v;
}

static bool
is_local(const struct router *r, const struct ip_addr *a)
{
	return fib_addr_type(r->fib, a) == ROUTE_LOCAL;
}

/* An address of another interface that is hidden from those on `seen`. */
static bool
is_hidden(const struct router *r, const struct iface *seen, const struct ip_addr *a)
{
	for (size_t i = 0; r->hidden && i < r->n_ifaces; i++) {
		const struct iface *f = r->ifaces[i];

		for (size_t k = 0; f && f != seen && f->hidden && k < f->n_addrs; k++) {
			if (ip_equal(&f->addrs[k].prefix.addr, a))
				return true;
		}
	}
	return false;
}

static struct arp_packet
packet_of(const struct iface *out, const struct arp_message *m)
{
	struct arp_packet a = {
		.hardware = htons(ARPHRD_ETHER),
		.protocol = htons(ETHERTYPE_IP),
		.hardware_len = ETH_ALEN,
		.protocol_len = 4,
		.op = htons(m->request ? ARPOP_REQUEST : ARPOP_REPLY),
		.sender_mac = out->mac,
		.target_mac = m->target_mac,
	};

	memcpy(a.sender, &m->sender.v4, 4);
	memcpy(a.target, &m->target.v4, 4);
	return a;
}

static void
write_frame(struct pkt *p, const struct mac_addr *to, const struct arp_packet *arp)
{
	struct ether_header *eth = pkt_data(p);

	memcpy(eth->ether_dhost, to, ETH_ALEN);
	memcpy(eth->ether_shost, &arp->sender_mac, ETH_ALEN);
	eth->ether_type = htons(ETHERTYPE_ARP);
	memcpy(eth + 1, arp, sizeof(*arp));
}

void
arp_emit(struct env *env, const struct router *r, const struct iface *out, const struct arp_message *m,
	const struct mac_addr *to)
{
	struct arp_packet arp = packet_of(out, m);
	struct pkt *p = env_pkt_new(env, sizeof(struct ether_header) + sizeof(arp));

	if (!p) {
		r->live->drops.n[DROP_NO_BUFFER]++;
		return;
	}
	write_frame(p, to ? to : &everyone, &arp);
	p->router = r;
	p->out = out;
	p->l2_len = sizeof(struct ether_header);
	p->ether_type = htons(ETHERTYPE_ARP);
	p->dst_mac = to ? *to : everyone;
	p->flags = PKT_LOCAL | (to ? 0 : PKT_BROADCAST);
	env_emit(env, p, ORIGIN_FRAME);
}

/* The sender of what asks, if it is this router (arp_announce 0), else what the link suggests. */
static struct ip_addr
asking_address(const struct router *r, const struct iface *out, const struct ip_addr *target,
	const struct pkt *about)
{
	if (about && about->family == AF_INET) {
		struct ip_addr src = ip4(pkt_ip4(about)->saddr);

		if (is_local(r, &src) && !is_hidden(r, out, &src))
			return src;
	}
	return router_link_source(r, out, target);
}

void
arp_ask(struct env *env, const struct router *r, const struct iface *out,
	const struct ip_addr *addr, const struct mac_addr *known, const struct pkt *about)
{
	struct ip_addr src = asking_address(r, out, addr, about);
	struct arp_message m = {.sender = src, .target = *addr, .request = true};

	if (src.family != AF_INET || addr->family != AF_INET)
		return;
	if (known)
		m.target_mac = *known;
	arp_emit(env, r, out, &m, known);
}

void
arp_announce(struct env *env, const struct router *r, const struct iface *out, uint32_t address)
{
	const struct arp_message m = {.sender = ip4(address), .target = ip4(address), .request = true};

	arp_emit(env, r, out, &m, NULL);
}

void
arp_answer(struct env *env, const struct router *r, const struct iface *in, const struct arp_message *q)
{
	struct arp_message m = {.sender = q->target, .target = q->sender, .target_mac = q->sender_mac};

	arp_emit(env, r, in, &m, &q->sender_mac);
}

enum drop_reason
arp_read(const struct pkt *p, struct arp_message *m)
{
	struct arp_packet a;
	uint16_t hardware;

	if (pkt_head_len(p) < sizeof(a))
		return DROP_ARP_MALFORMED;
	memcpy(&a, pkt_data(p), sizeof(a));
	hardware = ntohs(a.hardware);
	if ((hardware != ARPHRD_ETHER && hardware != ARPHRD_IEEE802) ||
		a.protocol != htons(ETHERTYPE_IP) || a.hardware_len != ETH_ALEN ||
		a.protocol_len != 4 || mac_is_multicast(&a.sender_mac))
		return DROP_ARP_MALFORMED;
	if (a.op != htons(ARPOP_REQUEST) && a.op != htons(ARPOP_REPLY))
		return DROP_ARP_MALFORMED;
	*m = (struct arp_message){
		.sender = ip4(read_v4(a.sender)),
		.target = ip4(read_v4(a.target)),
		.sender_mac = a.sender_mac,
		.target_mac = a.target_mac,
		.request = a.op == htons(ARPOP_REQUEST),
		.unicast = !(p->flags & (PKT_BROADCAST | PKT_MULTICAST)),
	};
	return DROP_NONE;
}

bool
arp_is_senseless(const struct arp_message *m, const struct mac_addr *self)
{
	uint32_t s = m->sender.v4, t = m->target.v4;

	/* our own that came back; but neighbours on one OSE port have one MAC address, and say so in answers to us alone */
	if (mac_equal(&m->sender_mac, self) && (m->request || !m->unicast))
		return true;
	return ip4_is_multicast(t) || ip4_is_loopback(t) || ip4_is_multicast(s) || ip4_is_loopback(s) || s == INADDR_BROADCAST;
}

/* With proxy ARP: an address that is reached by another interface. */
static bool
is_proxied(const struct arp *q)
{
	struct route_key key = {.dst = q->m.target, .src = q->m.sender, .iif = q->in->slot};
	struct route_result found;

	if (!q->in->proxy_arp || !q->router->forward || q->m.sender.v4 == 0 ||
		fib_lookup(q->router->fib, &key, &found) < 0)
		return false;
	return found.route->type == ROUTE_UNICAST && found.hop && found.hop->oif != q->in->slot;
}

/* One of its own that no interface has, asked for where it would be on link. */
static bool
is_answered_for(const struct router *r, const struct iface *in, const struct ip_addr *a)
{
	struct route_key key = {.dst = *a};
	struct route_result found;

	return r->n_proxied > 0 && router_answers_for(r, a) && fib_lookup(r->fib, &key, &found) == 0 &&
	       found.route->type == ROUTE_UNICAST && found.hop && found.hop->oif == in->slot &&
	       !ip_is_set(&found.hop->via);
}

static void
log_conflict(struct neigh_table *t, const struct arp *q)
{
	char mac[MAC_TEXT], addr[ADDR_TEXT];

	if (t->conflict_logged)
		return;
	t->conflict_logged = true;
	log_line(LOG_WARNING, "arp",
		"%s: %s on interface %s claims %s, which is an address of this router",
		q->router->name, mac_text(&q->m.sender_mac, mac), q->in->name,
		ip_text(&q->m.sender, addr));
}

bool
arp_learn_asker(struct neigh_table *t, struct env *env, const struct router *r, const struct arp_message *m)
{
	struct neigh *n;

	if (m->sender.v4 == 0)
		return true;
	n = neigh_get(t, env, &r->tunables, &m->sender);
	if (!n) {
		r->live->drops.n[DROP_NEIGH_TABLE]++;
		return false;
	}
	neigh_learn(n, env, &m->sender_mac, false, true);
	return true;
}

/* => true: the request was for us. */
static bool
take_request(struct neigh_table *t, struct env *env, const struct arp *q)
{
	bool local = is_local(q->router, &q->m.target);

	if (local ? is_hidden(q->router, q->in, &q->m.target) : !is_proxied(q) && !is_answered_for(q->router, q->in, &q->m.target))
		return false;
	if (arp_learn_asker(t, env, q->router, &q->m))
		arp_answer(env, q->router, q->in, &q->m);
	return true;
}

/* An announcement. As a reply it must name itself as its target. */
static bool
is_gratuitous(const struct arp *q)
{
	const struct arp_message *m = &q->m;

	return ip_equal(&m->sender, &m->target) && (m->request || mac_equal(&m->target_mac, &m->sender_mac)) &&
	       fib_addr_type(q->router->fib, &m->sender) == ROUTE_UNICAST;
}

/* Only an answer to us alone proves that the neighbour is there. */
bool
arp_learn_known(struct neigh_table *t, struct env *env, const struct arp_message *m, bool announcement)
{
	struct neigh *n = neigh_find(t, &m->sender);

	if (!n)
		return false;
	neigh_learn(n, env, &m->sender_mac, !m->request && m->unicast, announcement || env->now > n->updated + LOCK_TIME);
	return true;
}

static enum drop_reason
take_arp(struct env *env, const struct arp *q)
{
	struct neigh_table *t = q->in->live->neigh;

	if (!t || arp_is_senseless(&q->m, &q->in->mac))
		return DROP_ARP_IGNORED;
	if (is_local(q->router, &q->m.sender) || is_answered_for(q->router, q->in, &q->m.sender)) {
		log_conflict(t, q);
		return DROP_ARP_IGNORED;
	}
	if (q->m.request && take_request(t, env, q))
		return DROP_NONE;
	return arp_learn_known(t, env, &q->m, is_gratuitous(q)) ? DROP_NONE : DROP_ARP_IGNORED;
}

void
arp_input(struct env *env, const struct router *r, const struct iface *in, struct pkt *p)
{
	struct arp q = {.router = r, .in = in};
	enum drop_reason why = arp_read(p, &q.m);

	if (!why)
		why = take_arp(env, &q);
	if (why)
		pkt_drop(env, &r->live->drops, p, why);
	else
		env_pkt_free(env, p);
}
