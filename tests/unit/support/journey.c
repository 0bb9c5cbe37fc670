/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/journey.h"

#include "fabric/engine/engine.h"
#include "filters/conntrack_table.h"
#include "routing/neigh.h"

#include <stdio.h>
#include <stdlib.h>

static void
must(bool holds, const char *what, unsigned at)
{
	if (holds)
		return;
	fprintf(stderr, "journey: %s (%u)\n", what, at);
	abort();
}

static void
leave(struct walker *w, uint32_t port, struct pkt *p)
{
	struct journey *j = (struct journey *)w;
	struct journey_port *to = &j->ports[port];
	const struct path_egress egress = {
			.port = to, .version = &to->version, .packets = &to->count.tx_packets, .bytes = &to->count.tx_bytes};

	to->count.tx_packets += engine_port_segments(p);
	to->count.tx_bytes += pkt_len(p);
	if (p->recorder)
		path_record(p, &w->env, &egress);
	p->out_slot = (uint16_t)port;
	STAILQ_INSERT_TAIL(&j->tw.sent, p, queue);
}

static void
add_route(struct route **routes, size_t *n, const char *to, const char *via, uint16_t oif)
{
	struct nexthop *hop = malloc(sizeof(*hop));

	*routes = realloc(*routes, (*n + 1) * sizeof(**routes));
	*hop = (struct nexthop){.via = test_addr(via), .oif = oif, .weight = 1};
	(*routes)[(*n)++] = (struct route){
			.to = test_prefix(to), .type = ROUTE_UNICAST, .table = TABLE_MAIN, .hops = hop, .n_hops = 1};
}

static void
set_routes(struct test_router *t, const char *left, const char *right)
{
	struct route *routes = NULL;
	size_t n = 0;

	fib_free(t->r.fib);
	must(routes_of_iface(&t->ifaces[TEST_ETH0], &routes, &n) == 0, "no routes", 0);
	must(routes_of_iface(&t->ifaces[TEST_IUCV0], &routes, &n) == 0, "no routes", 0);
	add_route(&routes, &n, "10.0.0.0/8", left, TEST_ETH0);
	add_route(&routes, &n, "44.0.0.0/8", left, TEST_ETH0); /* of translations */
	add_route(&routes, &n, "default", right, TEST_IUCV0);
	must(fib_new(routes, n, NULL, 0, t->slots, TEST_IFACES, &t->r.fib) == 0, "no fib", 0);
	routes_free(routes, n);
}

/* Interface `slot` with address `prefix` becomes member `at` of the LAN. */
static void
join_lan(struct journey_side *s, uint16_t slot, const char *prefix, uint32_t at)
{
	struct iface *i = &s->t.ifaces[slot];

	i->kind = IFACE_LAN;
	i->point_to_point = false;
	i->n_addrs = 1;
	i->addrs[0] = (struct iface_addr){.prefix = test_prefix(prefix)};
	i->attach = (struct attach){ATTACH_LAN, 0, at};
	if (!i->live->neigh)
		i->live->neigh = neigh_table_new(&s->t.live, slot);
}

static void
attach_left(struct journey *j, unsigned i)
{
	struct journey_side *s = &j->sides[i];
	struct iface *eth0 = &s->t.ifaces[TEST_ETH0];

	if (i == 1 && j->shape.lan) {
		join_lan(s, TEST_ETH0, "192.168.7.2/24", 1);
		return;
	}
	eth0->attach = i ? (struct attach){ATTACH_ROUTER, i - 1, TEST_IUCV0} : (struct attach){ATTACH_PORT, JOURNEY_LEFT, 0};
	if (j->shape.frames && i == 0)
		return;
	eth0->kind = IFACE_CTC;
	eth0->point_to_point = true;
}

static void
attach_right(struct journey *j, unsigned i)
{
	struct journey_side *s = &j->sides[i];
	struct iface *iucv0 = &s->t.ifaces[TEST_IUCV0];

	if (j->shape.mtu[i])
		iucv0->mtu = j->shape.mtu[i];
	if (i == 0 && j->shape.lan)
		join_lan(s, TEST_IUCV0, "192.168.7.1/24", 0);
	else if (i + 1 < j->shape.routers)
		iucv0->attach = (struct attach){ATTACH_ROUTER, i + 1, TEST_ETH0};
	else
		iucv0->attach = (struct attach){ATTACH_PORT, JOURNEY_RIGHT, 0};
}

static void
side_init(struct journey *j, unsigned i)
{
	struct journey_side *s = &j->sides[i];

	test_router_init(&s->t);
	snprintf(s->t.r.name, sizeof(s->t.r.name), "r%u", i % 10);
	s->t.r.slot = i;
	s->t.r.tunables.value[TUNE_CT_ACCT] = 1;
	s->t.live.filters = &s->filters;
	attach_left(j, i);
	attach_right(j, i);
	set_routes(&s->t, i == 1 && j->shape.lan ? "192.168.7.1" : "10.0.0.254", i == 0 && j->shape.lan ? "192.168.7.2" : "192.168.1.2");
	s->filters.conntrack = conntrack_new(&s->t.live, 7 + i);
	if (j->cached)
		conntrack_paths_set(s->filters.conntrack, &j->paths.seam);
	j->tw.routers[i] = &s->t.r;
}

static void
see(struct walker *w, struct capture *first, const struct pkt *p, bool frame, bool out)
{
	struct counters *c = &((struct journey *)w)->captured;

	(void)first;
	(void)frame;
	*(out ? &c->tx_packets : &c->rx_packets) += 1;
	*(out ? &c->tx_bytes : &c->rx_bytes) += pkt_len(p);
}

static void
lan_init(struct journey *j)
{
	j->members[0] = (struct attach){ATTACH_ROUTER, 0, TEST_IUCV0};
	j->members[1] = (struct attach){ATTACH_ROUTER, 1, TEST_ETH0};
	j->members[2] = (struct attach){ATTACH_PORT, JOURNEY_LAN, 0};
	j->lan = (struct lan){.name = "lan", .mtu = 1500, .members = j->members, .n_members = 3};
	j->lan.live = lan_live_new(64, 300000000000);
	must(j->lan.live != NULL, "no LAN", 0);
	j->tw.lans[0] = &j->lan;
}

void
journey_build(struct journey *j, const struct journey_shape *shape, unsigned caches, uint32_t paths)
{
	memset(j, 0, sizeof(*j));
	j->shape = *shape;
	j->shape.lan = shape->lan && shape->routers > 1;
	j->cached = paths > 0;
	test_walker_init(&j->tw, 3);
	j->ops = *j->tw.w.env.ops;
	j->ops.attach = conntrack_attach;
	j->ops.hold = conntrack_hold;
	j->ops.untrack = conntrack_untrack;
	j->tw.w.env.ops = &j->ops;
	j->tw.w.send = leave;
	j->tw.w.capture = see;
	/* whole milliseconds, as paths know them: nothing expires between two */
	test_walker_pass(&j->tw, (1u << 20) - j->tw.w.env.now % (1u << 20));
	if (j->cached)
		must(paths_init(&j->paths, &j->tw.w.env, caches, paths) == 0, "no cache", 0);
	if (j->shape.lan)
		lan_init(j);
	j->sides = calloc(shape->routers, sizeof(*j->sides));
	for (unsigned i = 0; i < shape->routers; i++)
		side_init(j, i);
}

void
journey_init(struct journey *j, unsigned routers, bool frames, unsigned caches, uint32_t paths)
{
	journey_build(j, &(struct journey_shape){.routers = routers, .frames = frames}, caches, paths);
}

unsigned
journey_fini(struct journey *j)
{
	unsigned left = 0;

	if (j->cached)
		paths_flush(&j->paths);
	for (unsigned i = 0; i < j->shape.routers; i++) {
		struct journey_side *s = &j->sides[i];

		conntrack_flush(&j->tw.w.env, s->filters.conntrack);
		left += s->filters.conntrack->count;
		if (s->t.r.rules)
			ruleset_free((struct ruleset *)(uintptr_t)s->t.r.rules);
		conntrack_free(s->filters.conntrack, &j->tw.w.env);
		test_router_fini(&s->t, &j->tw.t);
	}
	if (j->cached)
		paths_fini(&j->paths);
	if (j->shape.lan)
		lan_live_free(j->lan.live);
	free(j->sides);
	return left + test_walker_fini(&j->tw);
}

void
journey_rules(struct journey *j, unsigned i, const char *text, const struct test_ext *exts)
{
	struct journey_side *s = &j->sides[i];
	struct ruleset *was = (struct ruleset *)(uintptr_t)s->t.r.rules;

	s->t.r.rules = text ? test_ruleset(&j->tw.t, &s->t, &s->filters, was, text, exts) : NULL;
	version_bump(&j->tw.t.epoch, &s->t.live.version);
	if (j->cached)
		paths_sweep(&j->paths);
	if (was)
		ruleset_free(was);
}

void
journey_carrier(struct journey *j, unsigned i, bool up)
{
	struct journey_side *s = &j->sides[i];

	s->t.lives[TEST_IUCV0].carrier = up;
	version_bump(&j->tw.t.epoch, &s->t.lives[TEST_IUCV0].version);
	version_bump(&j->tw.t.epoch, &s->t.live.version);
}

void
journey_tune(struct journey *j, unsigned i, enum tunable_id id, int64_t value)
{
	struct journey_side *s = &j->sides[i];

	if (j->cached)
		paths_flush(&j->paths);
	s->t.r.tunables.value[id] = value;
	version_bump(&j->tw.t.epoch, &s->t.live.version);
	if (j->cached)
		paths_sweep(&j->paths);
}

void
journey_capture(struct journey *j, unsigned i, uint16_t iface, bool begin)
{
	struct iface_live *live = &j->sides[i].t.lives[iface];

	live->captures = begin ? (struct capture *)j : NULL;
	version_bump(&j->tw.t.epoch, &live->version);
}

static void
walk(struct journey *j, uint32_t port, struct pkt *p)
{
	const struct journey_side *s = &j->sides[port == JOURNEY_LEFT ? 0 : j->shape.routers - 1];

	if (port == JOURNEY_LAN) {
		lan_input(&j->tw.w, &j->lan, 2, p);
		test_walker_run(&j->tw);
		return;
	}
	p->router = &s->t.r;
	p->in = &s->t.ifaces[port == JOURNEY_LEFT ? TEST_ETH0 : TEST_IUCV0];
	router_receive(&j->tw.w, p);
	test_walker_run(&j->tw);
}

struct path_cache *
journey_cache(const struct journey *j, uint32_t port)
{
	return j->paths.caches[port == JOURNEY_RIGHT && j->paths.n_caches > 1];
}

static unsigned
follow(struct journey *j, struct path_cache *c, struct path_burst *b, unsigned from)
{
	void *to[PATH_BURST];
	unsigned n = path_run(c, b, from, to);

	for (unsigned i = 0; i < n; i++) {
		struct journey_port *port = to[i];
		struct pkt *p = b->p[from + i];

		p->out_slot = (uint16_t)(port - j->ports);
		STAILQ_INSERT_TAIL(&j->tw.sent, p, queue);
	}
	return n;
}

void
journey_burst(struct journey *j, uint32_t port, struct pkt **p, unsigned n)
{
	struct path_ingress in = {.slot = (uint16_t)port, .version = &j->ports[port].version};
	struct path_cache *c = journey_cache(j, port);
	struct path_burst b;

	if (!j->cached) {
		for (unsigned i = 0; i < n; i++)
			walk(j, port, p[i]);
		return;
	}
	if (j->guest && port == JOURNEY_LEFT)
		in = *j->guest;
	path_prepare(c, &b, &in, p, n, j->tw.w.env.now);
	for (unsigned i = follow(j, c, &b, 0); i < n; i += 1 + follow(j, c, &b, i + 1)) {
		p[i]->recorder = path_begin(c, &b, i);
		walk(j, port, p[i]);
	}
}

/* ---- what must be equal ---- */

static void
compare_rules(const struct journey_side *a, const struct journey_side *b, unsigned i)
{
	uint8_t *left, *right;
	size_t n_left, n_right;

	must((a->t.r.rules != NULL) == (b->t.r.rules != NULL), "rules of one only", i);
	if (!a->t.r.rules)
		return;
	left = ruleset_encode(a->t.r.rules, &n_left);
	right = ruleset_encode(b->t.r.rules, &n_right);
	must(n_left == n_right && memcmp(left, right, n_left) == 0, "counters of rules", i);
	free(left);
	free(right);
}

static bool
lives(struct conntrack *ct, struct conn *c, uint64_t now)
{
	return c->refs && ct_confirmed(c) && !(c->status & CT_DYING) && !conn_expired(ct, c, now);
}

static unsigned
living(struct conntrack *ct, uint64_t now)
{
	unsigned n = 0;

	for (uint32_t i = 1; i < ct->used; i++)
		n += lives(ct, conn_at(ct, i), now);
	return n;
}

/* An expired one is gone for everybody; its record goes when somebody comes by, which may be later with the cache. */
static void
compare_conns(struct journey *ja, struct journey *jb, unsigned at)
{
	struct conntrack *a = ja->sides[at].filters.conntrack, *b = jb->sides[at].filters.conntrack;
	uint64_t now = ja->tw.w.env.now;

	must(living(a, now) == living(b, now), "connections", at);
	for (uint32_t i = 1; i < a->used; i++) {
		struct conn *c = conn_at(a, i), *d;
		enum ct_dir dir;

		if (!lives(a, c, now))
			continue;
		d = conntrack_find(b, now, &c->tuple[CT_DIR_REPLY], c->zone, &dir);
		must(d && dir == CT_DIR_REPLY && c->id == d->id, "a connection of one only", i);
		conn_touch(a, c);
		must(c->refs == d->refs && c->status == d->status && c->mark == d->mark, "state of a connection", i);
		must(memcmp(c->count, d->count, sizeof(c->count)) == 0, "counters of a connection", i);
		must(c->expires == d->expires, "the end of a connection", i);
		must(c->proto != IPPROTO_TCP || memcmp(&c->tcp, &d->tcp, sizeof(c->tcp)) == 0, "a window", i);
	}
}

void
journey_compare(struct journey *a, struct journey *b)
{
	if (a->cached)
		paths_credit(&a->paths);
	for (unsigned i = 0; i < a->shape.routers; i++) {
		compare_rules(&a->sides[i], &b->sides[i], i);
		compare_conns(a, b, i);
		for (unsigned k = 1; k < TEST_IFACES; k++) {
			must(memcmp(&a->sides[i].t.lives[k].count, &b->sides[i].t.lives[k].count, sizeof(struct counters)) == 0,
					"counters of an interface", i * 10 + k);
		}
		must(memcmp(&a->sides[i].t.live.drops, &b->sides[i].t.live.drops, sizeof(struct drops)) == 0, "drops", i);
	}
	must(memcmp(&a->captured, &b->captured, sizeof(a->captured)) == 0, "what captures have seen", 0);
	for (unsigned i = 0; i < JOURNEY_PORTS; i++)
		must(memcmp(&a->ports[i].count, &b->ports[i].count, sizeof(struct counters)) == 0, "counters of a port", i);
}
