/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listings of adapters: ports, their address tables, and what they threw away. */
#include "fabric/engine/show.h"

#include "drivers/osa/adapter.h"

#include <stdlib.h>

static double
age_of(uint64_t since)
{
	return (double)(clock_now() - since) / 1e9;
}

/* Visits under the slow lock: tables, roles and discards change with packets. */
static void
each_adapter(struct listing *l, void (*visit)(struct listing *, const struct adapter *, const struct cfg_osa *))
{
	const struct fabric *f = atomic_load(&l->engine->fabric);

	slow_lock(&l->engine->control);
	for (size_t i = 0; i < f->n_adapters; i++) {
		const struct adapter *a = f->adapters[i];
		const struct cfg_osa *o = a ? config_osa(l->engine->config, a->name) : NULL;

		if (o && listing_wants(l, a->name))
			visit(l, a, o);
	}
	slow_unlock(&l->engine->control);
}

/* ---- ports ---- */

static const char *
sharer_name(const struct adapter *a, uint16_t slot)
{
	return slot < a->n_sharers && a->sharers[slot] ? a->sharers[slot]->name : "-";
}

static bool
is_active(const struct adapter *a, uint16_t slot)
{
	return slot < a->n_sharers && a->sharers[slot] && a->sharers[slot]->active;
}

/* "zos/eth0"; in brackets while it is not active. */
static json_t *
router_text(const struct adapter *a, uint16_t slot)
{
	if (slot == SHARER_NONE)
		return NULL;
	return is_active(a, slot) ? json_string(sharer_name(a, slot)) : json_sprintf("(%s)", sharer_name(a, slot));
}

static json_t *
secondaries_text(const struct adapter *a, enum osa_protocol p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < a->n_secondaries[p]; i++)
		json_array_append_new(list, router_text(a, a->secondaries[p][i]));
	if (json_array_size(list) > 0)
		return list;
	json_decref(list);
	return NULL;
}

static void
set_routers(json_t *record, const struct adapter *a)
{
	static const char *const keys[OSA_PROTOCOLS][3] = {{"primary", "secondary", "elected"}, {"primary6", "secondary6", "elected6"}};

	for (int p = 0; p < OSA_PROTOCOLS; p++) {
		bool same = p == OSA_IPV6 && a->primary[p] == a->primary[OSA_IPV4] && a->elected[p] == a->elected[OSA_IPV4] &&
			    a->n_secondaries[p] == a->n_secondaries[OSA_IPV4];
		json_t *primary = router_text(a, a->primary[p]), *secondary = secondaries_text(a, (enum osa_protocol)p);

		if (!same && primary)
			json_object_set(record, keys[p][0], primary);
		if (!same && secondary)
			json_object_set(record, keys[p][1], secondary);
		if (!same && a->elected[p] != SHARER_NONE)
			json_object_set_new(record, keys[p][2], json_string(sharer_name(a, a->elected[p])));
		json_decref(primary);
		json_decref(secondary);
	}
}

static void
set_last(json_t *record, const struct adapter *a)
{
	char to[ADDR_TEXT], from[ADDR_TEXT];
	struct discard d;

	if (adapter_discards(a, &d, 1) == 1)
		json_object_set_new(record, "last", json_sprintf("%s from %s", ip_text(&d.to, to), ip_text(&d.from, from)));
}

static json_int_t
count_sharers(const struct adapter *a)
{
	json_int_t n = 0;

	for (size_t i = 0; i < a->n_sharers; i++)
		n += a->sharers[i] != NULL;
	return n;
}

static void
osa_record(struct listing *l, const struct adapter *a, const struct cfg_osa *o)
{
	const struct osa_limits *limits = osa_profile_limits(a->set.profile);
	const uint64_t *drops = a->stack_live.drops.n;
	char mac[MAC_TEXT];
	json_t *record = json_pack("{s:s, s:s, s:i, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "osa", a->name, "mode",
			osa_mode_word(a->set.mode), "layer", a->set.mode == OSA_QDIO && a->set.layer != 2 ? 3 : 2, "mac",
			mac_text(&a->set.mac, mac), "network", o->network, "up", a->network_up, "shared",
			a->set.mode != OSA_DEDICATED, "sharers", count_sharers(a), "entries", (json_int_t)oat_count(a->oat), "no_entry",
			(json_int_t)drops[DROP_OSA_NO_ENTRY], "owner_down", (json_int_t)drops[DROP_OSA_OWNER_DOWN], "refused",
			(json_int_t)(drops[DROP_OSA_SOURCE] + drops[DROP_OSA_ISOLATED]), "no_network",
			(json_int_t)drops[DROP_OSA_NO_NETWORK]);

	if (a->set.profile != OSA_PROFILE_NONE)
		json_object_set_new(record, "profile", json_string(osa_profile_word(a->set.profile)));
	if (limits->addresses)
		json_object_set_new(record, "limit", json_integer((json_int_t)limits->addresses));
	set_routers(record, a);
	set_last(record, a);
	listing_add(l, record);
}

void
show_osas(struct listing *l)
{
	each_adapter(l, osa_record);
}

/* ---- address tables ---- */

static const struct wanted *
wanted_of(const struct sharer *s, const struct ip_addr *addr)
{
	for (size_t i = 0; i < s->n_wanted; i++) {
		if (s->wanted[i].registered && ip_equal(&s->wanted[i].addr, addr))
			return &s->wanted[i];
	}
	return NULL;
}

static json_t *
entry_record(const struct adapter *a, const struct ip_addr *addr, const char *owner, const char *kind, const char *state)
{
	char text[ADDR_TEXT];

	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "osa", a->name, "address", ip_text(addr, text), "owner", owner, "kind", kind,
			"state", state);
}

static void
table_entry(struct listing *l, const struct adapter *a, const struct oat_entry *e)
{
	const struct sharer *s = e->sharer < a->n_sharers ? a->sharers[e->sharer] : NULL;
	const struct wanted *w = s ? wanted_of(s, &e->addr) : NULL;
	const char *kind = e->flags & OAT_STATIC ? "static" : w ? osa_entry_word(w->kind) : e->flags & OAT_VIPA ? "vipa" : "address";
	const char *state = e->flags & OAT_TENTATIVE ? "asking" : is_active(a, e->sharer) ? "registered" : "owner-down";
	json_t *record = entry_record(a, &e->addr, sharer_name(a, e->sharer), kind, state);

	if (e->flags & OAT_TAKEOVER)
		json_object_set_new(record, "takeover", json_string("takeover"));
	if (w && w->refs > 1)
		json_object_set_new(record, "count", json_integer((json_int_t)w->refs));
	json_object_set_new(record, "age", json_real(age_of(e->since)));
	listing_add(l, record);
}

static json_t *
answer_text(uint16_t code, const char *holder)
{
	struct osa_answer answer = {.code = code};
	char text[160];

	snprintf(answer.holder, sizeof(answer.holder), "%s", holder);
	return json_string(osa_answer_text(&answer, text, sizeof(text)));
}

/* What a stack wants and has not: it waits for its device or its LAN, or somebody else has it. */
static void
wanted_entry(struct listing *l, const struct adapter *a, const struct sharer *s, const struct wanted *w)
{
	bool refused = w->code != OSA_SUCCESS && w->code != OSA_LAN_OFFLINE;
	json_t *record;

	if (w->registered || (!refused && w->disposition == DISPOSITION_DELETE))
		return;
	record = entry_record(a, &w->addr, s->name, osa_entry_word(w->kind), refused ? "refused" : "waiting");
	if (refused)
		json_object_set_new(record, "answer", answer_text(w->code, w->holder));
	if (refused)
		json_object_set_new(record, "code", json_integer(w->code));
	listing_add(l, record);
}

static bool
is_wanted_by(const struct adapter *a, const struct refusal *r)
{
	for (size_t i = 0; i < a->n_sharers; i++) {
		const struct sharer *s = a->sharers[i];

		for (size_t w = 0; s && strcmp(s->name, r->sharer) == 0 && w < s->n_wanted; w++) {
			if (ip_equal(&s->wanted[w].addr, &r->addr))
				return true;
		}
	}
	return false;
}

/* Those that are gone from what their stacks want, since the port refused them. */
static void
refusals(struct listing *l, const struct adapter *a)
{
	struct refusal list[REFUSALS_KEPT];
	size_t n = adapter_refusals(a, list, REFUSALS_KEPT);

	for (size_t i = 0; i < n; i++) {
		json_t *record;

		if (is_wanted_by(a, &list[i]))
			continue;
		record = entry_record(a, &list[i].addr, list[i].sharer, "-", "refused");
		json_object_set_new(record, "answer", answer_text(list[i].answer.code, list[i].answer.holder));
		json_object_set_new(record, "code", json_integer(list[i].answer.code));
		json_object_set_new(record, "age", json_real(age_of(list[i].last)));
		listing_add(l, record);
	}
}

static int
by_address(const void *x, const void *y)
{
	const struct oat_entry *a = x, *b = y;

	if (a->addr.family != b->addr.family)
		return a->addr.family < b->addr.family ? -1 : 1;
	if (a->addr.family == AF_INET)
		return ntohl(a->addr.v4) < ntohl(b->addr.v4) ? -1 : ntohl(a->addr.v4) > ntohl(b->addr.v4);
	return memcmp(a->addr.v6, b->addr.v6, sizeof(a->addr.v6));
}

static void
table_records(struct listing *l, const struct adapter *a, const struct cfg_osa *o)
{
	size_t n;
	const struct oat_entry *entries = oat_entries(a->oat, &n);
	struct oat_entry *sorted = calloc(n + 1, sizeof(*sorted));

	(void)o;
	if (!sorted)
		return;
	if (n)
		memcpy(sorted, entries, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_address);
	for (size_t i = 0; i < n; i++)
		table_entry(l, a, &sorted[i]);
	free(sorted);
	for (size_t i = 0; i < a->n_sharers; i++) {
		for (size_t w = 0; a->sharers[i] && w < a->sharers[i]->n_wanted; w++)
			wanted_entry(l, a, a->sharers[i], &a->sharers[i]->wanted[w]);
	}
	refusals(l, a);
}

void
show_oat(struct listing *l)
{
	each_adapter(l, table_records);
}

/* ---- what was thrown away ---- */

static void
discard_records(struct listing *l, const struct adapter *a, const struct cfg_osa *o)
{
	struct discard list[DISCARDS_KEPT];
	size_t n = adapter_discards(a, list, DISCARDS_KEPT);
	char to[ADDR_TEXT], from[ADDR_TEXT];

	(void)o;
	for (size_t i = 0; i < n; i++)
		listing_add(l, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:f}", "osa", a->name, "reason",
						drop_name((enum drop_reason)list[i].why), "address", ip_text(&list[i].to, to), "sender",
						ip_text(&list[i].from, from), "from",
						list[i].sharer == SHARER_NONE ? "network" : sharer_name(a, list[i].sharer), "packets",
						(json_int_t)list[i].packets, "last", age_of(list[i].last)));
}

void
show_oat_drops(struct listing *l)
{
	each_adapter(l, discard_records);
}
