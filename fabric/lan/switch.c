/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drivers/osa/adapter.h"
#include "fabric/lan/lan.h"
#include "fabric/lan/mac_table.h"
#include "fabric/router/fabric.h"

#include <net/ethernet.h>

static void
lan_drop(struct walker *w, struct pkt *p, enum drop_reason why)
{
	pkt_drop(&w->env, &w->env.drops, p, why);
}

static void
deliver(struct walker *w, const struct attach *to, struct pkt *p)
{
	const struct router *r;
	struct attach found;

	if (to->kind == ATTACH_ADAPTER) {
		if (!adapter_receive(w, w->fabric->adapters[to->a], p, &found))
			return;
		to = &found;
	}
	switch (to->kind) {
	case ATTACH_PORT:
		w->send(w, to->a, p);
		break;
	case ATTACH_ROUTER:
		r = w->fabric->routers[to->a];
		p->router = r;
		p->in = r->ifaces[to->b];
		env_emit(&w->env, p, ORIGIN_INGRESS);
		break;
	default:
		lan_drop(w, p, DROP_LAN_NO_MEMBER);
	}
}

static void
flood(struct walker *w, const struct lan *lan, uint32_t from, struct pkt *p)
{
	const struct attach *last = NULL;

	record_refuse(p->recorder, "a LAN flooded it");
	for (uint32_t i = 0; i < lan->n_members; i++) {
		if (i == from || lan->members[i].kind == ATTACH_NONE)
			continue;
		if (last) {
			struct pkt *copy = env_pkt_copy(&w->env, p);

			if (copy)
				deliver(w, last, copy);
			else
				w->env.drops.n[DROP_NO_BUFFER]++;
		}
		last = &lan->members[i];
	}
	if (last)
		deliver(w, last, p);
	else
		lan_drop(w, p, DROP_LAN_NO_MEMBER);
}

/* 01:80:c2:00:00:0x stays on its own wire (IEEE 802.1D 7.12.6). */
static bool
is_link_local_group(const struct mac_addr *m)
{
	static const uint8_t group[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};

	return memcmp(m->b, group, sizeof(group)) == 0 && (m->b[5] & 0xf0) == 0;
}

void
lan_input(struct walker *w, const struct lan *lan, uint32_t from, struct pkt *p)
{
	const struct ether_header *eth = pkt_data(p);
	struct mac_addr src, dst;
	uint32_t member;

	if (pkt_head_len(p) < sizeof(*eth)) {
		lan_drop(w, p, DROP_TRUNCATED);
		return;
	}
	memcpy(&src, eth->ether_shost, sizeof(src));
	memcpy(&dst, eth->ether_dhost, sizeof(dst));
	if (mac_is_multicast(&src) || is_link_local_group(&dst)) {
		lan_drop(w, p, DROP_LAN_FILTER);
		return;
	}
	if (mac_table_learn(lan->live, &src, from, w->env.now))
		version_bump(w->env.epoch, lan_version(lan->live));
	record_read(p->recorder, lan_version(lan->live));
	if (mac_is_multicast(&dst) || !mac_table_find(lan->live, &dst, w->env.now, &member) ||
			member >= lan->n_members)
		flood(w, lan, from, p);
	else if (member == from)
		lan_drop(w, p, DROP_LAN_FILTER);
	else
		deliver(w, &lan->members[member], p);
}
