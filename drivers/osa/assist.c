/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP assist: the ARP that a QDIO port does in layer 3 for its sharers, who see none of it (OSA-8). It answers for every registered
 * address with the port's MAC address (OSA-13), learns who is on the network, and asks for the next hops of what leaves.
 */
#include "drivers/osa/inside.h"
#include "routing/arp.h"

static const struct ip_addr nobody = {.family = AF_INET};

/* An address that an answer may go to: that of the packet that asks, if its stack has registered it; else any that is registered. */
static struct ip_addr
asking_address(const struct adapter *a, const struct pkt *about)
{
	struct oat_entry *list;
	struct iphdr ip;
	size_t n;

	if (about && about->family == AF_INET) {
		memcpy(&ip, pkt_data(about), sizeof(ip));
		if (oat_lookup4(a->oat, ip.saddr) != SHARER_NONE)
			return ip4(ip.saddr);
	}
	list = oat_entries(a->oat, &n);
	for (size_t i = 0; i < n; i++) {
		if (list[i].addr.family == AF_INET && !(list[i].flags & (OAT_VIPA | OAT_TENTATIVE)))
			return list[i].addr;
	}
	return nobody;
}

static struct adapter *
adapter_of(const struct router *stack)
{
	return (struct adapter *)((char *)(uintptr_t)stack - offsetof(struct adapter, stack));
}

static void
ask(struct env *env, const struct router *r, const struct iface *out, const struct ip_addr *addr, const struct mac_addr *known,
		const struct pkt *about)
{
	struct arp_message m = {.sender = asking_address(adapter_of(r), about), .target = *addr, .request = true};

	if (addr->family != AF_INET)
		return;
	if (known)
		m.target_mac = *known;
	arp_emit(env, r, out, &m, known);
}

/* PRI-8: the port sends no ICMP. */
static void
say_nothing(struct env *env, const struct pkt *p)
{
	(void)env;
	(void)p;
}

const struct neigh_ops assist_neigh_ops = {ask, say_nothing};

void
assist_probe(struct adapter *a, struct env *env, const struct ip_addr *addr)
{
	struct arp_message m = {.sender = nobody, .target = *addr, .request = true};

	arp_emit(env, &a->stack, &a->port, &m, NULL);
}

void
assist_announce(struct adapter *a, struct env *env, const struct ip_addr *addr)
{
	struct arp_message m = {.sender = *addr, .target = *addr, .request = true};

	arp_emit(env, &a->stack, &a->port, &m, NULL);
}

/* Ours to answer for: registered, its owner there, and the LAN has not been asked in vain yet. */
static bool
is_answered(const struct adapter *a, const struct ip_addr *addr)
{
	const struct oat_entry *e = oat_find(a->oat, addr);

	return e && !(e->flags & OAT_TENTATIVE) && sharer_is_active(a, e->sharer);
}

/* Another station probes for what we are probing for: the lower MAC address gives way to none. */
static bool
is_rival(const struct adapter *a, const struct arp_message *m)
{
	const struct oat_entry *e = m->request && m->sender.v4 == 0 ? oat_find(a->oat, &m->target) : NULL;

	return e && e->flags & OAT_TENTATIVE && memcmp(&m->sender_mac, &a->port.mac, sizeof(m->sender_mac)) < 0;
}

static enum drop_reason
take(struct walker *w, struct adapter *a, const struct arp_message *m)
{
	struct neigh_table *t = a->port_live.neigh;
	bool announcement = ip_equal(&m->sender, &m->target);

	if (arp_is_senseless(m, &a->port.mac))
		return DROP_ARP_IGNORED;
	if (m->sender.v4 && oat_lookup4(a->oat, m->sender.v4) != SHARER_NONE) {
		setip_withdraw(a, &w->env, &m->sender, &m->sender_mac);
		return DROP_ARP_IGNORED;
	}
	if (is_rival(a, m)) {
		setip_withdraw(a, &w->env, &m->target, &m->sender_mac);
		return DROP_ARP_IGNORED;
	}
	if (m->request && is_answered(a, &m->target)) {
		if (arp_learn_asker(t, &w->env, &a->stack, m))
			arp_answer(&w->env, &a->stack, &a->port, m);
		return DROP_NONE;
	}
	return arp_learn_known(t, &w->env, m, announcement) ? DROP_NONE : DROP_ARP_IGNORED;
}

void
assist_input(struct walker *w, struct adapter *a, struct pkt *p)
{
	struct arp_message m;
	enum drop_reason why = arp_read(p, &m);

	if (why == DROP_NONE)
		why = take(w, a, &m);
	if (why != DROP_NONE)
		adapter_drop(w, a, p, why);
	else
		env_pkt_free(&w->env, p);
}
