/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Route lookup.
 *
 * All routes lie in one array, sorted for a listing, so that the routes to one prefix of one
 * table are neighbours: a group. In a group the order is that of preference: routes for one tos
 * before routes for any, then by metric. One hash table, open addressing, maps (table, prefix) to
 * the first of its group. Each table knows which prefix lengths it has at all, as a bitmap; a
 * lookup walks the set bits from the longest down and asks the hash once for each.
 *
 * Policy rules are sorted by priority and hold the index of their table; rules for tables without
 * routes can answer nothing and are left out of the walk. So a router without rules of its own
 * asks two tables, local and main, and compares nothing else.
 *
 * Nothing here changes after fib_new(); link state is read through the interface table at each
 * lookup.
 */
#include "routing/fib.h"

#include "routing/fib_rules.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { LENGTHS_4 = 33, LENGTHS_6 = 129, LENGTH_WORDS = 3 };

struct fib_table {
	uint32_t id;
	uint64_t lengths[2][LENGTH_WORDS]; /* [0] IPv4, [1] IPv6: which prefix lengths there are */
};

struct fib {
	struct iface *const *ifaces;
	size_t n_ifaces;
	struct route *routes;
	size_t n_routes;
	struct fib_table *tables;
	size_t n_tables;
	uint32_t *hash; /* index of the first route of a group, plus 1; 0: free */
	uint32_t hash_mask;
	struct rule_set rules;
};

static int
compare_u32(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int c = compare_u32(a->addr.family, b->addr.family);

	if (c == 0)
		c = memcmp(a->addr.w, b->addr.w, sizeof(a->addr.w));
	if (c == 0)
		c = compare_u32(a->len, b->len);
	return c ? c : compare_u32(a->addr.scope, b->addr.scope);
}

static int
compare_group(const struct route *a, const struct route *b)
{
	int c = compare_u32(a->table, b->table);

	return c ? c : compare_prefix(&a->to, &b->to);
}

/* Preference within a group; of equals the one that was given first. */
static int
compare_routes(const void *x, const void *y)
{
	const struct route *a = *(const struct route *const *)x,
			   *b = *(const struct route *const *)y;
	int c = compare_group(a, b);

	if (c == 0)
		c = compare_u32(b->tos, a->tos);
	if (c == 0)
		c = compare_u32(a->metric, b->metric);
	return c ? c : a < b ? -1 : a > b;
}

static uint32_t
mix(uint32_t h, uint32_t v)
{
	h = (h ^ v) * 0x9e3779b1u;
	return h ^ h >> 15;
}

static uint32_t
hash_prefix(uint32_t table, const struct ip_addr *a, unsigned len)
{
	uint32_t h = mix(table, len | (uint32_t)a->family << 8);

	if (a->family == AF_INET)
		return mix(mix(h, a->v4), a->scope);
	return mix(mix(mix(mix(mix(h, a->w[0]), a->w[1]), a->w[2]), a->w[3]), a->scope);
}

static int
copy_routes(struct fib *f, const struct route *routes, size_t n)
{
	const struct route **order = malloc((n + 1) * sizeof(*order));
	size_t i;

	f->routes = calloc(n + 1, sizeof(*f->routes));
	if (!order || !f->routes)
		goto fail;
	for (i = 0; i < n; i++)
		order[i] = &routes[i];
	qsort(order, n, sizeof(*order), compare_routes);
	for (i = 0; i < n; i++) {
		struct route *r = &f->routes[i];

		*r = *order[i];
		r->hops = NULL;
		f->n_routes++;
		if (r->n_hops == 0)
			continue;
		r->hops = malloc(r->n_hops * sizeof(*r->hops));
		if (!r->hops)
			goto fail;
		memcpy(r->hops, order[i]->hops, r->n_hops * sizeof(*r->hops));
	}
	free(order);
	return 0;
fail:
	free(order);
	return -ENOMEM;
}

static void
note_length(struct fib_table *t, const struct ip_prefix *to)
{
	t->lengths[to->addr.family == AF_INET6][to->len / 64] |= 1ULL << to->len % 64;
}

static int
index_tables(struct fib *f)
{
	struct fib_table *t = NULL;
	size_t i;

	f->tables = calloc(f->n_routes + 1, sizeof(*f->tables));
	if (!f->tables)
		return -ENOMEM;
	for (i = 0; i < f->n_routes; i++) {
		if (!t || t->id != f->routes[i].table) {
			t = &f->tables[f->n_tables++];
			t->id = f->routes[i].table;
		}
		note_length(t, &f->routes[i].to);
	}
	return 0;
}

static int
index_groups(struct fib *f)
{
	uint32_t size = 16, i, slot;

	while (size < f->n_routes * 2)
		size *= 2;
	f->hash = calloc(size, sizeof(*f->hash));
	if (!f->hash)
		return -ENOMEM;
	f->hash_mask = size - 1;
	for (i = 0; i < f->n_routes; i++) {
		const struct route *r = &f->routes[i];

		if (i > 0 && compare_group(&f->routes[i - 1], r) == 0)
			continue;
		slot = hash_prefix(r->table, &r->to.addr, r->to.len) & f->hash_mask;
		while (f->hash[slot])
			slot = (slot + 1) & f->hash_mask;
		f->hash[slot] = i + 1;
	}
	return 0;
}

static const struct fib_table *
find_table(const struct fib *f, uint32_t id)
{
	size_t i;

	for (i = 0; i < f->n_tables; i++)
		if (f->tables[i].id == id)
			return &f->tables[i];
	return NULL;
}

static void
point_rules_at_tables(struct fib *f)
{
	size_t i;

	for (i = 0; i < f->rules.n; i++)
		f->rules.at[i].fib_table = find_table(f, f->rules.rules[i].table);
}

int
fib_new(const struct route *routes, size_t n_routes, const struct route_rule *rules, size_t n_rules,
	struct iface *const *ifaces, size_t n_ifaces, struct fib **out)
{
	struct fib *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->ifaces = ifaces;
	f->n_ifaces = n_ifaces;
	if (copy_routes(f, routes, n_routes) < 0 || index_tables(f) < 0 || index_groups(f) < 0 ||
		rule_set_init(&f->rules, rules, n_rules) < 0) {
		fib_free(f);
		return -ENOMEM;
	}
	point_rules_at_tables(f);
	*out = f;
	return 0;
}

void
fib_free(struct fib *f)
{
	if (!f)
		return;
	rule_set_fini(&f->rules);
	free(f->hash);
	free(f->tables);
	routes_free(f->routes, f->n_routes);
	free(f);
}

static bool
hop_usable(const struct fib *f, const struct nexthop *h)
{
	return h->oif < f->n_ifaces && f->ifaces[h->oif] && iface_usable(f->ifaces[h->oif]);
}

/* The next hop for a flow, by weight, among those that can be used; NULL: none. */
static const struct nexthop *
choose_hop(const struct fib *f, const struct route *r, uint32_t hash)
{
	uint64_t total = 0, at;
	size_t i;

	for (i = 0; i < r->n_hops; i++)
		if (hop_usable(f, &r->hops[i]))
			total += r->hops[i].weight;
	at = (hash * total) >> 32;
	for (i = 0; i < r->n_hops; i++) {
		if (!hop_usable(f, &r->hops[i]))
			continue;
		if (at < r->hops[i].weight)
			return &r->hops[i];
		at -= r->hops[i].weight;
	}
	return NULL;
}

/*
 * A local address is one whatever its link does (weak host model); only what leaves needs a link.
 */
static bool
take_route(const struct fib *f, const struct route *r, const struct route_key *key,
	struct route_result *out)
{
	const struct nexthop *h = r->n_hops ? r->hops : NULL;

	if (r->type == ROUTE_UNICAST) {
		h = choose_hop(f, r, key->hash);
		if (!h)
			return false;
	}
	out->route = r;
	out->hop = h;
	out->nexthop = h && ip_is_set(&h->via) ? h->via : key->dst;
	return true;
}

static struct ip_prefix
cut_prefix(const struct ip_addr *a, unsigned len)
{
	struct ip_prefix p = {.addr = *a, .len = (uint8_t)len};

	if (a->family == AF_INET)
		p.addr.v4 &= ip4_mask(len);
	else
		p = prefix_network(&p);
	return p;
}

/* First route of the group of a prefix, or NULL. */
static const struct route *
find_group(const struct fib *f, uint32_t table, const struct ip_prefix *to)
{
	uint32_t slot = hash_prefix(table, &to->addr, to->len) & f->hash_mask;

	for (; f->hash[slot]; slot = (slot + 1) & f->hash_mask) {
		const struct route *r = &f->routes[f->hash[slot] - 1];

		if (r->table == table && compare_prefix(&r->to, to) == 0)
			return r;
	}
	return NULL;
}

static bool
same_tos(uint8_t route, uint8_t packet)
{
	return route == 0 || ((route ^ packet) & 0xfc) == 0;
}

/* => 0, -ENETUNREACH, or -ENETDOWN as fib_lookup(). */
static int
lookup_group(const struct fib *f, const struct route *r, const struct route_key *key,
	struct route_result *out)
{
	const struct route *first = r, *end = f->routes + f->n_routes;
	int answer = -ENETUNREACH;

	for (; r < end && compare_group(first, r) == 0; r++) {
		if (!same_tos(r->tos, key->tos))
			continue;
		if (take_route(f, r, key, out))
			return 0;
		answer = -ENETDOWN;
	}
	return answer;
}

static int
lookup_table(const struct fib *f, const struct fib_table *t, const struct route_key *key,
	struct route_result *out)
{
	const uint64_t *lengths = t->lengths[key->dst.family == AF_INET6];
	int word, answer = -ENETUNREACH;

	for (word = LENGTH_WORDS - 1; word >= 0; word--) {
		uint64_t left = lengths[word];

		while (left) {
			unsigned bit = 63 - (unsigned)__builtin_clzll(left);
			struct ip_prefix to = cut_prefix(&key->dst, (unsigned)word * 64 + bit);
			const struct route *r = find_group(f, t->id, &to);
			int got = r ? lookup_group(f, r, key, out) : -ENETUNREACH;

			if (got == 0)
				return 0;
			if (got == -ENETDOWN)
				answer = got;
			left &= ~(1ULL << bit);
		}
	}
	return answer;
}

int
fib_lookup(const struct fib *f, const struct route_key *key, struct route_result *out)
{
	int answer = -ENETUNREACH;
	size_t i;

	if (!ip_is_set(&key->dst))
		return -ENETUNREACH;
	for (i = 0; i < f->rules.n; i++) {
		const struct fib_table *t = f->rules.at[i].fib_table;
		int got;

		if (!t || (!f->rules.at[i].any && !rule_matches(&f->rules.rules[i], key)))
			continue;
		got = lookup_table(f, t, key, out);
		if (got == 0)
			return 0;
		if (got == -ENETDOWN)
			answer = got;
	}
	return answer;
}

enum route_type
fib_addr_type(const struct fib *f, const struct ip_addr *a)
{
	const struct fib_table *t = find_table(f, TABLE_LOCAL);
	struct route_key key = {.dst = *a};
	struct route_result found;

	if (!t || !ip_is_set(a) || lookup_table(f, t, &key, &found) < 0)
		return ROUTE_UNICAST;
	return found.route->type == ROUTE_LOCAL || found.route->type == ROUTE_BROADCAST
		       ? found.route->type
		       : ROUTE_UNICAST;
}

const struct route *
fib_routes(const struct fib *f, size_t *n)
{
	*n = f->n_routes;
	return f->routes;
}

const struct route_rule *
fib_rules(const struct fib *f, size_t *n)
{
	*n = f->rules.n;
	return f->rules.rules;
}

static_assert(LENGTHS_4 <= 64 && LENGTHS_6 <= LENGTH_WORDS * 64, "every prefix length has a bit");
