/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARP (RFC 826), as Linux net/ipv4/arp.c speaks it with its default settings. */
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

/* An ARP packet that was read and found possible. */
struct arp {
	const struct router *router;
	const struct iface *in;
	struct ip_addr sender, target;
	struct mac_addr sender_mac, target_mac;
	bool request, unicast;
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

static void
write_frame(struct pkt *p, const struct mac_addr *to, const struct arp_packet *arp)
{
	struct ether_header *eth = pkt_data(p);

	memcpy(eth->ether_dhost, to, ETH_ALEN);
	memcpy(eth->ether_shost, &arp->sender_mac, ETH_ALEN);
	eth->ether_type = htons(ETHERTYPE_ARP);
	memcpy(eth + 1, arp, sizeof(*arp));
}

static void
send_arp(struct env *env, const struct router *r, const struct iface *out,
	const struct mac_addr *to, const struct arp_packet *arp)
{
	struct pkt *p = env_pkt_new(env, sizeof(struct ether_header) + sizeof(*arp));

	if (!p) {
		r->live->drops.n[DROP_NO_BUFFER]++;
		return;
	}
	write_frame(p, to, arp);
	p->router = r;
	p->out = out;
	p->l2_len = sizeof(struct ether_header);
	p->ether_type = htons(ETHERTYPE_ARP);
	p->dst_mac = *to;
	p->flags = PKT_LOCAL | (mac_equal(to, &everyone) ? PKT_BROADCAST : 0);
	env_emit(env, p, ORIGIN_FRAME);
}

static struct arp_packet
make_arp(const struct iface *out, uint16_t op, uint32_t sender, uint32_t target)
{
	struct arp_packet a = {
		.hardware = htons(ARPHRD_ETHER),
		.protocol = htons(ETHERTYPE_IP),
		.hardware_len = ETH_ALEN,
		.protocol_len = 4,
		.op = htons(op),
		.sender_mac = out->mac,
	};

	memcpy(a.sender, &sender, 4);
	memcpy(a.target, &target, 4);
	return a;
}

/* The sender of what asks, if it is this router (arp_announce 0), else what the link suggests. */
static struct ip_addr
asking_address(const struct router *r, const struct iface *out, const struct ip_addr *target,
	const struct pkt *about)
{
	if (about && about->family == AF_INET) {
		struct ip_addr src = ip4(pkt_ip4(about)->saddr);

		if (is_local(r, &src))
			return src;
	}
	return router_link_source(r, out, target);
}

void
arp_ask(struct env *env, const struct router *r, const struct iface *out, const struct neigh *n,
	bool broadcast, const struct pkt *about)
{
	struct ip_addr src = asking_address(r, out, &n->addr, about);
	struct arp_packet a;

	if (src.family != AF_INET || n->addr.family != AF_INET)
		return;
	a = make_arp(out, ARPOP_REQUEST, src.v4, n->addr.v4);
	if (!broadcast)
		a.target_mac = n->mac;
	send_arp(env, r, out, broadcast ? &everyone : &n->mac, &a);
}

void
arp_announce(struct env *env, const struct router *r, const struct iface *out, uint32_t address)
{
	const struct arp_packet a = make_arp(out, ARPOP_REQUEST, address, address);

	send_arp(env, r, out, &everyone, &a);
}

static void
answer(struct env *env, const struct arp *q)
{
	struct arp_packet a = make_arp(q->in, ARPOP_REPLY, q->target.v4, q->sender.v4);

	a.target_mac = q->sender_mac;
	send_arp(env, q->router, q->in, &q->sender_mac, &a);
}

static enum drop_reason
read_arp(struct arp *q, const struct pkt *p)
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
	q->request = a.op == htons(ARPOP_REQUEST);
	q->unicast = !(p->flags & (PKT_BROADCAST | PKT_MULTICAST));
	q->sender_mac = a.sender_mac;
	q->target_mac = a.target_mac;
	q->sender = ip4(read_v4(a.sender));
	q->target = ip4(read_v4(a.target));
	return DROP_NONE;
}

/* Not what any node may say: then not even what is known is changed by it. */
static bool
is_senseless(const struct arp *q)
{
	uint32_t s = q->sender.v4, t = q->target.v4;

	return ip4_is_multicast(t) || ip4_is_loopback(t) || ip4_is_multicast(s) ||
	       ip4_is_loopback(s) || s == INADDR_BROADCAST ||
	       mac_equal(&q->sender_mac, &q->in->mac);
}

/* With proxy ARP: an address that is reached by another interface. */
static bool
is_proxied(const struct arp *q)
{
	struct route_key key = {.dst = q->target, .src = q->sender, .iif = q->in->slot};
	struct route_result found;

	if (!q->in->proxy_arp || !q->router->forward || q->sender.v4 == 0 ||
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
		q->router->name, mac_text(&q->sender_mac, mac), q->in->name,
		ip_text(&q->sender, addr));
}

/*
 * => true: the request was for us. Who asks for us will be answered soon, so it is worth knowing.
 */
static bool
take_request(struct neigh_table *t, struct env *env, const struct arp *q)
{
	struct neigh *n;

	if (!is_local(q->router, &q->target) && !is_proxied(q) &&
		!is_answered_for(q->router, q->in, &q->target))
		return false;
	if (q->sender.v4 != 0) {
		n = neigh_get(t, env, &q->router->tunables, &q->sender);
		if (!n) {
			q->router->live->drops.n[DROP_NEIGH_TABLE]++;
			return true;
		}
		neigh_learn(n, env, &q->sender_mac, false, true);
	}
	answer(env, q);
	return true;
}

/* An announcement. As a reply it must name itself as its target. */
static bool
is_gratuitous(const struct arp *q)
{
	return ip_equal(&q->sender, &q->target) &&
	       (q->request || mac_equal(&q->target_mac, &q->sender_mac)) &&
	       fib_addr_type(q->router->fib, &q->sender) == ROUTE_UNICAST;
}

/*
 * Only an answer to us alone proves that the neighbour is there. => false: nobody here knows the
 * sender.
 */
static bool
update(struct neigh_table *t, struct env *env, const struct arp *q)
{
	struct neigh *n = neigh_find(t, &q->sender);

	if (!n)
		return false;
	neigh_learn(n, env, &q->sender_mac, !q->request && q->unicast,
		env->now > n->updated + LOCK_TIME || is_gratuitous(q));
	return true;
}

static enum drop_reason
take_arp(struct env *env, const struct arp *q)
{
	struct neigh_table *t = q->in->live->neigh;

	if (!t || is_senseless(q))
		return DROP_ARP_IGNORED;
	if (is_local(q->router, &q->sender) || is_answered_for(q->router, q->in, &q->sender)) {
		log_conflict(t, q);
		return DROP_ARP_IGNORED;
	}
	if (q->request && take_request(t, env, q))
		return DROP_NONE;
	return update(t, env, q) ? DROP_NONE : DROP_ARP_IGNORED;
}

void
arp_input(struct env *env, const struct router *r, const struct iface *in, struct pkt *p)
{
	struct arp q = {.router = r, .in = in};
	enum drop_reason why = read_arp(&q, p);

	if (!why)
		why = take_arp(env, &q);
	if (why)
		pkt_drop(env, &r->live->drops, p, why);
	else
		env_pkt_free(env, p);
}
