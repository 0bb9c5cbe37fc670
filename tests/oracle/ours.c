/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our side: the same router in this process, over the env and walker of the unit tests, so every packet is an exactly sized block. Interfaces are
 * point-to-point links into ports 0 .. IFACES-1; to one of them Ethernet frames come. Text becomes rules in a child process, as libxtables ends the process on a wrong option.
 */
#include "tests/oracle/oracle.h"
#include "tests/oracle/world.h"

#include "drivers/iucv/vnet.h"
#include "fabric/base/pkt_chain.h"
#include "filters/conntrack.h"
#include "filters/iptables/iptables.h"
#include "filters/live.h"
#include "filters/ruleset.h"
#include "filters/sets.h"
#include "routing/icmp.h"
#include "routing/reasm.h"
#include "tests/unit/support/walkers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOT_LO = 1, SLOT_FIRST = 2, SLOTS = SLOT_FIRST + IFACES };

static struct {
	struct test_walker tw;
	struct env_ops ops;
	struct router r;
	struct router_live live;
	struct iface ifaces[SLOTS];
	struct iface_live lives[SLOTS];
	struct iface_addr addrs[SLOTS];
	struct iface *slots[SLOTS];
	struct ruleset *rules;
	uint64_t seed;
	unsigned lines; /* that LOG and TRACE wrote */
} o;

static struct ip_addr
address(const char *text)
{
	struct ip_addr a;

	if (ip_parse(text, &a) < 0)
		abort();
	return a;
}

static void
count_line(struct env *env, const struct pkt *p, int level, const char *line)
{
	(void)env, (void)p, (void)level, (void)line;
	o.lines++;
}

static void
set_iface(uint16_t slot, const char *name, enum iface_kind kind, uint32_t mtu)
{
	struct iface *i = &o.ifaces[slot];

	*i = (struct iface){.slot = slot,
		.kind = kind,
		.up = true,
		.point_to_point = kind == IFACE_IUCV,
		.mtu = mtu,
		.addrs = &o.addrs[slot],
		.n_addrs = 1,
		.live = &o.lives[slot]};
	snprintf(i->name, sizeof(i->name), "%s", name);
	i->live->carrier = true;
	o.slots[slot] = i;
}

static void
set_ifaces(void)
{
	uint16_t i, slot;

	set_iface(SLOT_LO, "lo", IFACE_LOOPBACK, 65536);
	prefix_parse("127.0.0.1/8", &o.addrs[SLOT_LO].prefix);
	for (i = 0; i < IFACES; i++) {
		slot = SLOT_FIRST + i;
		set_iface(slot, world_ifaces[i].name, IFACE_IUCV, world_ifaces[i].mtu);
		o.addrs[slot].prefix = (struct ip_prefix){.addr = address(world_ifaces[i].address), .len = 32};
		o.addrs[slot].peer = address(world_ifaces[i].peer);
		if (i == LAN)
			mac_parse(WORLD_MAC, &o.ifaces[slot].mac);
		o.ifaces[slot].attach = (struct attach){.kind = ATTACH_PORT, .a = i};
	}
}

static enum route_type
route_type(const char *how)
{
	if (strcmp(how, "blackhole") == 0)
		return ROUTE_DISCARD;
	if (strcmp(how, "unreachable") == 0)
		return ROUTE_UNREACHABLE;
	if (strcmp(how, "prohibit") == 0)
		return ROUTE_PROHIBIT;
	return ROUTE_UNICAST;
}

static struct route
world_route(const struct world_route *w)
{
	struct route r = {.type = route_type(w->how), .table = TABLE_MAIN};
	const struct iface *i;

	if (prefix_parse(w->to, &r.to) < 0)
		abort();
	if (r.type != ROUTE_UNICAST)
		return r;
	i = router_iface_named(&o.r, w->how);
	r.hops = calloc(1, sizeof(*r.hops));
	assert(i && r.hops);
	*r.hops = (struct nexthop){.oif = i->slot, .weight = 1};
	r.n_hops = 1;
	return r;
}

static void
set_routes(void)
{
	struct route *routes = NULL;
	size_t n = 0, i;

	for (i = 1; i < SLOTS; i++)
		assert(routes_of_iface(&o.ifaces[i], &routes, &n) == 0);
	routes = realloc(routes, (n + WORLD_ROUTES) * sizeof(*routes));
	assert(routes);
	for (i = 0; i < WORLD_ROUTES; i++)
		routes[n++] = world_route(&world_routes[i]);
	assert(fib_new(routes, n, NULL, 0, o.slots, SLOTS, &o.r.fib) == 0);
	routes_free(routes, n);
}

static void
set_tunables(struct tunables *t)
{
	tunables_init(t);
	t->value[TUNE_ICMP_RATELIMIT] = 0;
	t->value[TUNE_ICMP_MSGS_PER_SEC] = t->value[TUNE_ICMP_MSGS_BURST] = 1000000;
	t->value[TUNE_ICMP_ECHO_TTL] = 64;
	t->value[TUNE_IPFRAG_TIME] = 3600000;
	t->value[TUNE_CT_ACCT] = 1;
}

static void
open_router(void)
{
	memset(&o.live, 0, sizeof(o.live));
	memset(o.lives, 0, sizeof(o.lives));
	o.r = (struct router){
		.name = "oracle", .slot = 1, .forward = true, .ifaces = o.slots, .n_ifaces = SLOTS, .live = &o.live};
	set_tunables(&o.r.tunables);
	set_ifaces();
	set_routes();
	o.live.now = &o.r;
	o.live.reasm = reasm_new(&o.live);
	o.live.icmp = icmp_limit_new();
	o.live.filters = filters_live_new();
	assert(o.live.reasm && o.live.icmp && o.live.filters);
	o.tw.routers[1] = &o.r;
}

static void
close_router(void)
{
	struct pkt *p;

	while ((p = test_sent(&o.tw, NULL)))
		env_pkt_free(&o.tw.w.env, p);
	filters_live_end(o.live.filters, &o.tw.w.env);
	reasm_free(o.live.reasm, &o.tw.w.env);
	icmp_limit_free(o.live.icmp);
	if (o.rules)
		ruleset_free(o.rules);
	o.rules = NULL;
	filters_live_free(o.live.filters);
	fib_free(o.r.fib);
}

bool
our_open(uint64_t seed)
{
	test_walker_init(&o.tw, seed);
	o.seed = seed;
	o.ops = *o.tw.w.env.ops;
	o.ops.attach = conntrack_attach;
	o.ops.hold = conntrack_hold;
	o.ops.untrack = conntrack_untrack;
	o.ops.log = count_line;
	o.tw.w.env.ops = &o.ops;
	open_router();
	return true;
}

void
our_close(void)
{
	close_router();
	assert(test_walker_fini(&o.tw) == 0);
}

/* In the child: what it finds goes to `out`: the flat rules, or a message. => exit code. */
static int
convert(const char *text, int out)
{
	char why[512] = "";
	struct rules *r = iptables_read(text, strlen(text), "rules", why, sizeof(why));
	uint8_t *bytes;
	size_t len;

	if (!r) {
		dprintf(out, "%s", why);
		return 1;
	}
	bytes = rules_encode(r, &len);
	return bytes && write(out, bytes, len) == (ssize_t)len ? 0 : 1;
}

/* Flat rules of a text, to free(). => NULL with why. */
static uint8_t *
rules_of_text(const char *text, size_t *len, char *why, size_t size)
{
	int fd = memfd_create("rules", 0), status;
	uint8_t *bytes;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fd, 2);
		_exit(convert(text, fd));
	}
	waitpid(pid, &status, 0);
	*len = (size_t)lseek(fd, 0, SEEK_END);
	bytes = malloc(*len + 1);
	if (!bytes || pread(fd, bytes, *len, 0) != (ssize_t)*len)
		abort();
	bytes[*len] = 0;
	close(fd);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return bytes;
	snprintf(why, size, "status %d: %s", status, (char *)bytes);
	free(bytes);
	return NULL;
}

static int
load_rules(const char *text, char *why, size_t size)
{
	size_t len;
	uint8_t *bytes = rules_of_text(text, &len, why, size);
	struct rules *r;

	if (!bytes)
		return -1;
	r = rules_decode(bytes, len, why, size);
	free(bytes);
	if (!r)
		return -1;
	o.rules = ruleset_new(r, &o.r, o.live.filters, NULL, why, size);
	if (!o.rules) {
		rules_free(r);
		return -1;
	}
	if (o.rules->needs & NEEDS_CONNTRACK && !o.live.filters->conntrack)
		o.live.filters->conntrack = conntrack_new(&o.live, o.seed);
	o.r.rules = o.rules;
	ruleset_begin(o.rules, oracle_now());
	return 0;
}

static void
set_clock(void)
{
	uint64_t now = oracle_now();

	if (now > o.tw.t.env.now)
		test_walker_pass(&o.tw, now - o.tw.t.env.now);
}

static int
our_load(const char *rules, const char *sets, char *why, size_t size)
{
	close_router();
	open_router();
	o.tw.t.env.now = o.tw.w.env.now = oracle_now();
	if (*sets && sets_run(o.live.filters->sets, sets, strlen(sets), oracle_now(), why, size) < 0)
		return -1;
	return load_rules(rules, why, size);
}

static void
take_sent(struct frames *out)
{
	uint32_t port;
	struct pkt *p;
	struct frame *f;

	out->n = 0;
	while ((p = test_sent(&o.tw, &port))) {
		if (out->n < FRAMES_MAX && pkt_len(p) <= FRAME_MAX) {
			f = &out->f[out->n++];
			f->iface = (uint8_t)port;
			f->len = (uint16_t)pkt_len(p);
			const void *from = rte_pktmbuf_read(pkt_mbuf(p), 0, f->len, f->data);

			if (from != f->data)
				memcpy(f->data, from, f->len);
		}
		env_pkt_free(&o.tw.w.env, p);
	}
}

/* With its IP header on a boundary of 4 bytes, as ports have it (drivers/osa/ethdev_port.c). */
static struct pkt *
ether_packet(const struct frame *in)
{
	enum { PAD = 2 };
	uint8_t bytes[PAD + ETHER_LEN + FRAME_MAX] = {0};
	struct pkt *p;

	frame_ether(in, bytes + PAD);
	memcpy(bytes + PAD + ETHER_LEN, in->data, in->len);
	p = test_pkt(&o.tw.t, bytes, PAD + ETHER_LEN + (size_t)in->len);
	rte_pktmbuf_adj(pkt_mbuf(p), PAD);
	p->l2_len = ETHER_LEN;
	return p;
}

static bool
our_inject(const struct frame *in, struct frames *out)
{
	struct pkt *p;

	set_clock();
	p = in->iface == LAN ? ether_packet(in) : test_pkt(&o.tw.t, in->data, in->len);
	p->router = &o.r;
	p->in = &o.ifaces[SLOT_FIRST + in->iface];
	router_receive(&o.tw.w, p);
	test_walker_run(&o.tw);
	take_sent(out);
	return true;
}

int
our_super(const struct super *in, struct super *out)
{
	struct pkt *p;
	uint32_t port;
	int n = 0;

	set_clock();
	p = test_pkt(&o.tw.t, in->data, in->len);
	if (vnet_read(&in->offload, p, 0) != DROP_NONE) {
		env_pkt_free(&o.tw.w.env, p);
		return -1;
	}
	p->router = &o.r;
	p->in = &o.ifaces[SLOT_FIRST + in->iface];
	router_receive(&o.tw.w, p);
	test_walker_run(&o.tw);
	while ((p = test_sent(&o.tw, &port))) {
		if (n < SUPERS_MAX) {
			out[n].iface = (uint8_t)port;
			out[n].len = pkt_len(p);
			vnet_write(&out[n].offload, p, 0);
			pkt_chain_read(p, 0, out[n++].data, pkt_len(p));
		}
		env_pkt_free(&o.tw.w.env, p);
	}
	return n;
}

static void
add_count(struct counts *c, const char *table, const char *chain, int rule, const struct rules_count *n)
{
	struct count *row = &c->c[c->n];

	if (c->n == COUNTS_MAX)
		abort();
	memset(row, 0, sizeof(*row));
	snprintf(row->table, sizeof(row->table), "%s", table);
	snprintf(row->chain, sizeof(row->chain), "%s", chain);
	row->rule = rule;
	row->packets = n->packets;
	row->bytes = n->bytes;
	c->n++;
}

static void
add_chain(struct counts *c, const char *table, const struct rules_chain *chain)
{
	uint32_t i;

	if (chain->hook >= 0)
		add_count(c, table, chain->name, 0, &chain->count);
	for (i = 0; i < chain->n_rules; i++)
		add_count(c, table, chain->name, (int)i + 1, &chain->rules[i].count);
}

static int
our_counts(struct counts *c)
{
	char why[256];
	size_t len;
	uint8_t *bytes = ruleset_encode(o.rules, &len);
	struct rules *r = bytes ? rules_decode(bytes, len, why, sizeof(why)) : NULL;
	uint32_t t, i;

	free(bytes);
	c->n = 0;
	if (!r)
		return -1;
	for (t = 0; t < TABLE_COUNT; t++)
		for (i = 0; i < r->tables[t].n_chains; i++)
			add_chain(c, rules_table_name((enum rules_table)t), r->tables[t].chains[i]);
	rules_free(r);
	counts_sort(c);
	return 0;
}

static const char *const tcp_states[TCP_CT_STATES] = {"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT",
	"CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"};
static const char *const sctp_states[] = {"NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD",
	"SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT"};

static void
set_half(struct conn_half *h, const struct conn *c, int dir)
{
	const struct ct_tuple *t = &c->tuple[dir];

	h->src = t->src.v4;
	h->dst = t->dst.v4;
	h->sport = ntohs(t->sport);
	h->dport = c->proto == IPPROTO_ICMP ? t->dport : ntohs(t->dport);
	h->packets = c->count[dir].packets;
	h->bytes = c->count[dir].bytes;
}

static void
add_conn(void *arg, uint32_t index, struct conn *c)
{
	struct conns *all = arg;
	struct conn_row *row = &all->c[all->n];

	(void)index;
	if (all->n == CONNS_MAX)
		return;
	memset(row, 0, sizeof(*row));
	row->proto = c->proto;
	set_half(&row->half[0], c, CT_DIR_ORIGINAL);
	set_half(&row->half[1], c, CT_DIR_REPLY);
	if (c->proto == IPPROTO_TCP)
		snprintf(row->state, sizeof(row->state), "%s", tcp_states[c->tcp.state]);
	if (c->proto == IPPROTO_SCTP)
		snprintf(row->state, sizeof(row->state), "%.15s", sctp_states[c->sctp.state]);
	row->seen_reply = c->status & CT_SEEN_REPLY;
	row->assured = c->status & CT_ASSURED;
	row->mark = c->mark;
	row->zone = c->zone;
	row->zone_dir = c->zone ? c->zone_dir : 3;
	row->timeout = ((int64_t)c->expires - (int64_t)o.tw.w.env.now) / (int64_t)TEST_SECOND;
	all->n++;
}

static int
our_conns(struct conns *c)
{
	uint32_t cursor = 0;

	c->n = 0;
	set_clock();
	if (o.live.filters->conntrack)
		while (conntrack_walk(o.live.filters->conntrack, o.tw.w.env.now, &cursor, 1000, add_conn, c))
			;
	conns_sort(c);
	return 0;
}

const struct side our_side = {
	.name = "ours",
	.load = our_load,
	.inject = our_inject,
	.counts = our_counts,
	.conns = our_conns,
};
