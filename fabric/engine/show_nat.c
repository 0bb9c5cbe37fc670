/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What address translation has given away. Gauges are kept (nat/gauges.c); how many different ports
 * the mappings of an outside address have is counted here, by looking through the connections a
 * page at a time.
 */
#include "fabric/engine/show.h"

#include "filters/conntrack.h"
#include "filters/live.h"
#include "filters/sets_names.h"
#include "nat/nat.h"

#include <stdlib.h>

enum { PAGE = 512, PORT_BITS = 16 };

static const double FORECAST_MOST = 30 * 86400; /* s: what is further off is no forecast */

/* Ports in use, each as address, protocol, port in one number; ascending, without doubles. */
struct ports {
	uint64_t *at;
	size_t n, size;
};

struct page {
	uint64_t at[PAGE];
	size_t n;
};

static uint64_t
gauge_key(uint32_t address, uint8_t proto)
{
	return (uint64_t)ntohl(address) << 8 | proto;
}

static void
note_port(void *arg, uint32_t index, struct conn *c)
{
	const struct ct_tuple *reply = &c->tuple[CT_DIR_REPLY];
	struct page *page = arg;
	uint16_t port = reply->proto == IPPROTO_ICMP ? reply->sport : reply->dport;

	(void)index;
	if (c->status & CT_SRC_NAT && reply->dst.family == AF_INET)
		page->at[page->n++] = gauge_key(reply->dst.v4, reply->proto) << PORT_BITS | ntohs(port);
}

static int
compare_ports(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
keep(struct ports *ports, const struct page *page)
{
	uint64_t *more;

	if (ports->n + page->n > ports->size) {
		more = realloc(ports->at, (ports->size * 2 + PAGE) * sizeof(*more));
		if (!more)
			return;
		ports->at = more;
		ports->size = ports->size * 2 + PAGE;
	}
	if (page->n > 0)
		memcpy(ports->at + ports->n, page->at, page->n * sizeof(*page->at));
	ports->n += page->n;
}

static void
sort(struct ports *ports)
{
	size_t n = 0;

	if (ports->n == 0)
		return;
	qsort(ports->at, ports->n, sizeof(*ports->at), compare_ports);
	for (size_t i = 1; i < ports->n; i++) {
		if (ports->at[i] != ports->at[n])
			ports->at[++n] = ports->at[i];
	}
	ports->n = n + 1;
}

static struct ports
ports_in_use(struct engine *e, struct conntrack *ct)
{
	struct ports ports = {0};
	uint32_t cursor = 0;
	bool more = true;

	while (more) {
		struct page page = {.n = 0};

		slow_lock(&e->control);
		more = conntrack_walk(ct, e->control.walker.env.now, &cursor, PAGE, note_port, &page);
		slow_unlock(&e->control);
		keep(&ports, &page);
	}
	sort(&ports);
	return ports;
}

/* => the place of the first one that is not below `least`. */
static size_t
first_from(const struct ports *ports, uint64_t least)
{
	size_t low = 0, high = ports->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ports->at[middle] < least)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t
count_ports(const struct ports *ports, const struct nat_gauge *g)
{
	uint64_t key = gauge_key(g->address, g->proto);

	return first_from(ports, (key + 1) << PORT_BITS) - first_from(ports, key << PORT_BITS);
}

/* At the present growth. A port may serve several mappings, towards different destinations. */
static void
add_forecast(json_t *record, const struct nat_gauge *g, double used, double of)
{
	double growth = g->mappings ? g->growth * used / g->mappings : 0, left;

	if (of <= 0 || growth <= 0)
		return;
	left = used < of ? (of - used) / growth : 0;
	if (left <= FORECAST_MOST)
		json_object_set_new(record, "full_in", json_real(left));
}

static json_t *
outside_record(const struct router *r, const struct nat_gauge *g, const struct ports *ports)
{
	char address[ADDR_TEXT], proto[32];
	struct ip_addr a = ip4(g->address);
	size_t used = count_ports(ports, g);
	json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:I}", "node", r->name, "side", "outside", "address", ip_text(&a, address),
			"protocol", set_proto_text(g->proto, proto, sizeof(proto)), "mappings", (json_int_t)g->mappings);

	if (g->most) {
		json_object_set_new(record, "ports", json_integer((json_int_t)used));
		json_object_set_new(record, "of", json_integer(g->most));
	}
	add_forecast(record, g, (double)used, g->most);
	return record;
}

static json_t *
guest_record(const struct router *r, const struct nat_gauge *g)
{
	json_int_t quota = tune(&r->tunables, TUNE_NAT_QUOTA);
	struct ip_addr a = ip4(g->address);
	char address[ADDR_TEXT];
	json_t *record = json_pack("{s:s, s:s, s:s, s:I}", "node", r->name, "side", "guest", "address", ip_text(&a, address), "mappings",
			(json_int_t)g->mappings);

	if (quota)
		json_object_set_new(record, "of", json_integer(quota));
	add_forecast(record, g, g->mappings, (double)quota);
	return record;
}

static void
add_gauge(struct listing *l, const struct router *r, const struct nat_gauge *g, const struct ports *ports)
{
	json_t *record = g->side == NAT_OUTSIDE ? outside_record(r, g, ports) : guest_record(r, g);

	json_object_set_new(record, "growth", json_real(g->growth));
	json_object_set_new(record, "refused", json_integer((json_int_t)g->refused));
	listing_add(l, record);
}

/* Outside addresses first, then guests; each in ascending order. */
static int
compare_gauges(const void *a, const void *b)
{
	const struct nat_gauge *x = a, *y = b;
	uint64_t i = gauge_key(x->address, x->proto), k = gauge_key(y->address, y->proto);

	if (x->side != y->side)
		return x->side < y->side ? -1 : 1;
	return (i > k) - (i < k);
}

static struct nat_gauge *
all_gauges(struct engine *e, struct conntrack *ct, size_t *n)
{
	struct nat_gauge *all = NULL, *more;
	uint32_t cursor = 0;
	size_t got = PAGE;

	for (*n = 0; got == PAGE; *n += got) {
		more = realloc(all, (*n + PAGE) * sizeof(*all));
		if (!more)
			break;
		all = more;
		slow_lock(&e->control);
		got = nat_gauges(ct, e->control.walker.env.now, &cursor, all + *n, PAGE);
		slow_unlock(&e->control);
	}
	if (*n > 0)
		qsort(all, *n, sizeof(*all), compare_gauges);
	return all;
}

void
show_nat(struct listing *l)
{
	const struct router *r;
	size_t at = 0;

	while ((r = listing_router(l, &at))) {
		struct conntrack *ct = r->live->filters->conntrack;
		struct nat_gauge *gauges;
		struct ports ports = {0};
		size_t n = 0;

		if (!ct)
			continue;
		gauges = all_gauges(l->engine, ct, &n);
		if (n > 0)
			ports = ports_in_use(l->engine, ct);
		for (size_t i = 0; i < n; i++)
			add_gauge(l, r, &gauges[i], &ports);
		free(ports.at);
		free(gauges);
	}
}
