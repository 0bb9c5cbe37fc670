/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listing of balanced services and their workers. */
#include "fabric/engine/show.h"

#include "nat/balance.h"

static const char *const methods[] = {[BALANCE_HASH] = "hash", [BALANCE_LEAST] = "least"};
static const char *const checks[] = {[BALANCE_CHECK_NONE] = "none", [BALANCE_CHECK_PING] = "ping", [BALANCE_CHECK_TCP] = "tcp"};

static const char *
endpoint(uint32_t address, uint16_t port, char *buf, size_t size)
{
	struct ip_addr a = ip4(address);
	char text[ADDR_TEXT];

	snprintf(buf, size, "%s:%u", ip_text(&a, text), port);
	return buf;
}

static json_t *
record_of(const struct router *r, const struct balance_state *s)
{
	char service[ADDR_TEXT + 8], worker[ADDR_TEXT + 8];
	json_t *record = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:I}", "node", r->name, "service",
			endpoint(s->service->address, s->service->port, service, sizeof(service)), "protocol",
			s->service->protocol == IPPROTO_TCP ? "tcp" : "udp", "method", methods[s->service->method], "worker",
			endpoint(s->worker->address, s->worker->port, worker, sizeof(worker)), "up", s->up, "check",
			checks[s->service->check.kind], "connections", (json_int_t)s->connections, "total", (json_int_t)s->total);

	if (s->since)
		json_object_set_new(record, "since", json_real((double)(clock_now() - s->since) / 1e9));
	return record;
}

static void
add_service(struct listing *l, const struct router *r, const struct balance_service *s)
{
	struct worker *control = &l->engine->control;

	for (size_t i = 0; i < s->n_workers; i++) {
		struct balance_state state;

		slow_lock(control);
		balance_look(r, s, &s->workers[i], &state);
		slow_unlock(control);
		listing_add(l, record_of(r, &state));
	}
}

void
show_balance(struct listing *l)
{
	const struct router *r;
	size_t at = 0;

	while ((r = listing_router(l, &at))) {
		for (size_t i = 0; r->balance && i < r->balance->n; i++)
			add_service(l, r, &r->balance->services[i]);
	}
}
