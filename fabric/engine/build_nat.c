/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/build_nat.h"

#include "nat/balance.h"
#include "nat/proxied.h"
#include "routing/neigh.h"

#include <errno.h>
#include <stdlib.h>

enum { ANNOUNCE_MOST = 256 /* of one router and change */ };

static const uint8_t methods[] = {[CFG_BALANCE_HASH] = BALANCE_HASH, [CFG_BALANCE_LEAST] = BALANCE_LEAST};
static const uint8_t checks[] = {
		[CFG_CHECK_NONE] = BALANCE_CHECK_NONE, [CFG_CHECK_PING] = BALANCE_CHECK_PING, [CFG_CHECK_TCP] = BALANCE_CHECK_TCP};

static int
build_service(const struct cfg_balance *from, struct balance_service *to)
{
	*to = (struct balance_service){
			.address = from->address.v4,
			.port = from->port,
			.protocol = from->protocol,
			.method = methods[from->method],
			.workers = calloc(from->n_workers, sizeof(*to->workers)),
			.n_workers = from->n_workers,
			.check = {
					.kind = checks[from->check.kind],
					.port = from->check.port,
					.interval = from->check.interval * UINT64_C(1000000000),
					.fail = from->check.fail,
					.rise = from->check.rise,
			},
	};
	if (!to->workers)
		return -ENOMEM;
	for (size_t i = 0; i < from->n_workers; i++)
		to->workers[i] = (struct balance_worker){from->workers[i].address.v4, from->workers[i].port, 0};
	return 0;
}

int
build_nat(const struct cfg_node *n, struct router *r)
{
	int rc = 0;

	r->hairpin = n->hairpin;
	if (n->n_balance == 0)
		return 0;
	r->balance = calloc(1, sizeof(*r->balance));
	if (!r->balance)
		return -ENOMEM;
	r->balance->services = calloc(n->n_balance, sizeof(*r->balance->services));
	if (!r->balance->services)
		return -ENOMEM;
	for (; r->balance->n < n->n_balance && rc == 0; r->balance->n++)
		rc = build_service(&n->balance[r->balance->n], &r->balance->services[r->balance->n]);
	return rc;
}

static int
add_prefix(const struct ip_prefix *p, struct addr_ranges *to)
{
	uint32_t host = p->len ? (uint32_t)(UINT64_C(0xffffffff) >> p->len) : UINT32_MAX, first = ntohl(p->addr.v4) & ~host;

	return addr_ranges_add(to, first, first | host);
}

int
build_proxied(const struct cfg_node *n, struct router *r)
{
	struct addr_ranges ranges = {0};
	int rc = 0;

	for (size_t i = 0; i < n->n_nat_addresses && rc == 0; i++)
		rc = add_prefix(&n->nat_addresses[i], &ranges);
	for (size_t i = 0; n->nat_addresses_arp && i < n->n_balance && rc == 0; i++)
		rc = add_prefix(&(struct ip_prefix){n->balance[i].address, 32}, &ranges);
	if (rc == 0 && n->nat_addresses_arp && r->rules)
		rc = nat_addresses(r->rules, r, &ranges);
	addr_ranges_sort(&ranges);
	r->proxied = ranges.at;
	r->n_proxied = ranges.n;
	return rc;
}

/* The LAN that the address lies in; NULL: none, or it has no neighbours. */
static const struct iface *
lan_of(const struct router *r, const struct ip_addr *a)
{
	struct route_key key = {.dst = *a};
	struct route_result found;
	const struct iface *out;

	if (fib_lookup(r->fib, &key, &found) < 0 || found.route->type != ROUTE_UNICAST || !found.hop || ip_is_set(&found.hop->via))
		return NULL;
	out = router_iface(r, found.hop->oif);
	return out && out->kind >= IFACE_OSA ? out : NULL;
}

void
announce_proxied(struct engine *e, const struct router *was, const struct router *r)
{
	unsigned left = ANNOUNCE_MOST;

	for (size_t i = 0; i < r->n_proxied; i++) {
		for (uint64_t at = r->proxied[i].first; at <= r->proxied[i].last && left > 0; at++, left--) {
			struct ip_addr a = ip4(htonl((uint32_t)at));
			const struct iface *out = lan_of(r, &a);

			if (out && !(was && router_answers_for(was, &a)))
				arp_announce(&e->control.walker.env, r, out, a.v4);
		}
	}
}
