/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listings of what is between the routers: links, LANs, guests; and drops, tunables, memory. */
#include "fabric/engine/show.h"

#include "drivers/osa/adapter.h"
#include "fabric/lan/lan.h"

#include <malloc.h>
#include <rte_mempool.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const guest_kinds[] = {[CFG_GUEST_NETNS] = "namespace", [CFG_GUEST_SIMULATED] = "simulated"};

static const struct engine_port *
port_of(const struct listing *l, const struct cfg_iface *i)
{
	return l->engine->ports[placed_iface(l->engine->placement, i)->port];
}

static uint64_t
sent_by(const struct listing *l, const struct cfg_iface *i)
{
	if (i->node->kind == CFG_ROUTER)
		return placed_iface(l->engine->placement, i)->live->count.tx_packets;
	return port_of(l, i) ? port_of(l, i)->count.rx_packets : 0;
}

static bool
is_up(const struct listing *l, const struct cfg_iface *i)
{
	const struct engine_port *ep;

	if (i->node->kind == CFG_ROUTER)
		return i->up && placed_iface(l->engine->placement, i)->live->carrier;
	ep = port_of(l, i);
	return i->up && ep && ep->carrier && ep->guest_up;
}

static const char *
why_down(const struct listing *l, const struct cfg_iface *i)
{
	const struct engine_port *ep;

	if (!i->up)
		return "set down in the configuration";
	if (i->node->kind == CFG_ROUTER)
		return NULL;
	ep = port_of(l, i);
	return !ep ? "no port" : ep->guest_up ? NULL : "set down by the guest";
}

static double
since(const struct listing *l, const struct cfg_iface *i)
{
	const struct iface_live *live = placed_iface(l->engine->placement, i)->live;

	return live && live->carrier_since ? (double)(clock_now() - live->carrier_since) / 1e9 : 0;
}

static json_t *
link_record(const struct listing *l, const struct cfg_iface *a, const struct cfg_iface *b)
{
	const char *reason = why_down(l, a) ? why_down(l, a) : why_down(l, b);
	bool up = is_up(l, a) && is_up(l, b);
	char name[2 * (NODE_NAME + IFACE_NAME) + 4];
	json_t *record;

	snprintf(name, sizeof(name), "%s:%s=%s:%s", a->node->name, a->name, b->node->name, b->name);
	record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:f, s:I, s:I}", "name", name, "kind",
			a->kind == CFG_IUCV ? "iucv" : "ctc", "a", a->node->name, "a_if", a->name, "b", b->node->name, "b_if",
			b->name, "up", up, "since", since(l, a), "a_to_b_packets", (json_int_t)sent_by(l, a),
			"b_to_a_packets", (json_int_t)sent_by(l, b));
	if (!up && reason)
		json_object_set_new(record, "reason", json_string(reason));
	return record;
}

/* Each link once: from the end that comes first in the configuration. */
void
show_links(struct listing *l)
{
	const struct config *c = l->engine->config;

	for (size_t n = 0; n < c->n_nodes; n++) {
		for (size_t i = 0; i < c->nodes[n].n_ifaces; i++) {
			const struct cfg_iface *a = &c->nodes[n].ifaces[i];

			if (!a->far || a->far < a)
				continue;
			if (listing_wants(l, a->node->name) || listing_wants(l, a->far->node->name))
				listing_add(l, link_record(l, a, a->far));
		}
	}
}

static json_t *
guest_record(const struct listing *l, const struct cfg_node *g)
{
	struct counters sum = {0};
	uint64_t wakeups = 0, queue = 0;

	for (size_t i = 0; i < g->n_ifaces; i++) {
		const struct engine_port *ep = g->ifaces[i].kind == CFG_DUMMY ? NULL : port_of(l, &g->ifaces[i]);

		if (!ep)
			continue;
		sum.rx_packets += ep->count.tx_packets;
		sum.rx_bytes += ep->count.tx_bytes;
		sum.tx_packets += ep->count.rx_packets;
		sum.tx_bytes += ep->count.rx_bytes;
		wakeups += ep->wakeups;
		queue += ep->port->count.tx_drops;
	}
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", g->name, "kind", guest_kinds[g->kind],
			"interfaces", (json_int_t)g->n_ifaces, "rx_packets", (json_int_t)sum.rx_packets, "rx_bytes",
			(json_int_t)sum.rx_bytes, "tx_packets", (json_int_t)sum.tx_packets, "tx_bytes", (json_int_t)sum.tx_bytes,
			"wakeups", (json_int_t)wakeups, "queue_drops", (json_int_t)queue);
}

void
show_guests(struct listing *l)
{
	const struct config *c = l->engine->config;

	for (size_t n = c->n_routers; n < c->n_nodes; n++) {
		if (listing_wants(l, c->nodes[n].name))
			listing_add(l, guest_record(l, &c->nodes[n]));
	}
}

static void
add_drops(struct listing *l, const char *node, const struct drops *d)
{
	for (int r = DROP_NONE + 1; r < DROP_COUNT; r++) {
		if (!d->n[r] && !l->all)
			continue;
		listing_add(l, json_pack("{s:s, s:s, s:s, s:I}", "node", node, "reason", drop_name((enum drop_reason)r), "text",
						drop_text((enum drop_reason)r), "packets", (json_int_t)d->n[r]));
	}
}

void
show_drops(struct listing *l)
{
	const struct fabric *f = atomic_load(&l->engine->fabric);
	struct drops engine = l->engine->control.walker.env.drops;

	for (size_t i = 0; i < f->n_routers; i++) {
		if (f->routers[i] && listing_wants(l, f->routers[i]->name))
			add_drops(l, f->routers[i]->name, &f->routers[i]->live->drops);
	}
	for (size_t i = 0; i < f->n_adapters; i++) {
		if (f->adapters[i] && listing_wants(l, f->adapters[i]->name))
			add_drops(l, f->adapters[i]->name, &f->adapters[i]->stack_live.drops);
	}
	if (l->node)
		return;
	for (unsigned w = 0; w < l->engine->n_workers; w++) {
		for (int r = 0; r < DROP_COUNT; r++)
			engine.n[r] += l->engine->workers[w].walker.env.drops.n[r];
	}
	add_drops(l, "-", &engine);
}

static size_t
members(const struct lan *lan)
{
	size_t n = 0;

	for (size_t i = 0; i < lan->n_members; i++)
		n += lan->members[i].kind != ATTACH_NONE;
	return n;
}

void
show_lans(struct listing *l)
{
	const struct fabric *f = atomic_load(&l->engine->fabric);

	for (size_t i = 0; i < f->n_lans; i++) {
		if (f->lans[i] && listing_wants(l, f->lans[i]->name))
			listing_add(l, json_pack("{s:s, s:I, s:I}", "name", f->lans[i]->name, "mtu", (json_int_t)f->lans[i]->mtu,
							"members", (json_int_t)members(f->lans[i])));
	}
}

static const char *
member_name(const struct listing *l, const struct lan *lan, uint32_t member, char *buf, size_t size)
{
	const struct attach *a = member < lan->n_members ? &lan->members[member] : NULL;
	const struct fabric *f = atomic_load(&l->engine->fabric);

	if (a && a->kind == ATTACH_ROUTER)
		snprintf(buf, size, "%s:%s", f->routers[a->a]->name, f->routers[a->a]->ifaces[a->b]->name);
	else if (a && a->kind == ATTACH_ADAPTER)
		snprintf(buf, size, "%s", f->adapters[a->a]->name);
	else if (a && a->kind == ATTACH_PORT && l->engine->ports[a->a])
		snprintf(buf, size, "%s", l->engine->ports[a->a]->port->name);
	else
		snprintf(buf, size, "-");
	return buf;
}

static void
macs_of(struct listing *l, const struct lan *lan)
{
	struct worker *control = &l->engine->control;
	struct lan_mac *list;
	size_t room, n;

	slow_lock(control);
	room = lan_macs(lan->live, NULL, 0);
	list = calloc(room + 1, sizeof(*list));
	n = list ? lan_macs(lan->live, list, room) : 0;
	slow_unlock(control);
	for (size_t i = 0; i < n; i++) {
		char mac[MAC_TEXT], name[48];

		listing_add(l, json_pack("{s:s, s:s, s:s, s:f}", "lan", lan->name, "mac", mac_text(&list[i].mac, mac), "member",
						member_name(l, lan, list[i].member, name, sizeof(name)), "age",
						(double)(clock_now() - list[i].seen) / 1e9));
	}
	free(list);
}

void
show_macs(struct listing *l)
{
	const struct fabric *f = atomic_load(&l->engine->fabric);

	for (size_t i = 0; i < f->n_lans; i++) {
		if (f->lans[i] && listing_wants(l, f->lans[i]->name))
			macs_of(l, f->lans[i]);
	}
}

static void
add_tunables(struct listing *l, const char *node, const struct tunables *t)
{
	for (int i = 0; i < TUNABLE_COUNT; i++) {
		const struct tunable *row = tunable_row((enum tunable_id)i);

		listing_add(l, json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:s}", "node", node, "name", row->name, "value",
						(json_int_t)t->value[i], "unit", row->unit, "default", (json_int_t)row->fallback,
						"min", (json_int_t)row->min, "max", (json_int_t)row->max, "text", row->text));
	}
}

void
show_tunables(struct listing *l)
{
	const struct fabric *f = atomic_load(&l->engine->fabric);

	if (!l->node)
		add_tunables(l, "-", &l->engine->tunables);
	for (size_t i = 0; l->node && i < f->n_routers; i++) {
		if (f->routers[i] && listing_wants(l, f->routers[i]->name))
			add_tunables(l, f->routers[i]->name, &f->routers[i]->tunables);
	}
}

size_t
show_resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long total = 0, resident = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void
add_memory(struct listing *l, const char *what, size_t bytes, size_t count)
{
	listing_add(l, json_pack("{s:s, s:I, s:I}", "what", what, "bytes", (json_int_t)bytes, "count", (json_int_t)count));
}

static size_t
pool_bytes(const struct rte_mempool *p)
{
	return (size_t)p->size * (p->elt_size + p->header_size + p->trailer_size);
}

void
show_memory(struct listing *l)
{
	const struct engine *e = l->engine;
	struct mallinfo2 heap = mallinfo2();
	size_t ports = 0;

	for (uint32_t i = 1; i < e->ports_end; i++)
		ports += e->ports[i] != NULL;
	add_memory(l, "resident", show_resident(), 1);
	add_memory(l, "small packet buffers", pool_bytes(e->pools.small), e->pools.small->size);
	add_memory(l, "large packet buffers", pool_bytes(e->pools.large), e->pools.large->size);
	add_memory(l, "tables", heap.uordblks + heap.hblkhd, 1);
	add_memory(l, "ports", ports * (sizeof(struct engine_port) + sizeof(struct port)), ports);
}
