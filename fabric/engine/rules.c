/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/rules.h"

#include "fabric/base/log.h"
#include "fabric/engine/build_nat.h"
#include "fabric/control/bundle.h"
#include "fabric/control/wire.h"
#include "fabric/engine/compile.h"
#include "filters/conntrack.h"
#include "filters/live.h"
#include "filters/ruleset.h"
#include "filters/sets.h"
#include "nat/balance.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

/* What the sets have come to goes to the keeper with each command, of big sets with every so many: a crash then forgets the last ones. */
enum { SMALL_SETS = 4096, COMMANDS_A_COPY = 64 };

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static int
stage_sets(struct change *c, const struct cfg_node *n, struct placed_node *pn)
{
	const struct bundle_item *item = bundle_get(c->bundle, n->name, BUNDLE_SETS);
	const char *text = item ? (const char *)item->bytes : NULL;
	char why[512];

	if (!text && n->filter_sets) {
		snprintf(c->why, c->why_size, "%s: its sets did not come with the configuration", n->name);
		return -EINVAL;
	}
	if (same_text(text, pn->live->filters->sets_text) && text)
		return 0; /* what was added to them since stays */
	pn->sets = sets_new();
	pn->sets_text = text ? strdup(text) : NULL;
	if (!pn->sets || (text && !pn->sets_text))
		return -ENOMEM;
	if (!text || sets_run(pn->sets, text, item->len, clock_now(), why, sizeof(why)) == 0)
		return 0;
	snprintf(c->why, c->why_size, "sets of %s: %s", n->name, why);
	return -EINVAL;
}

struct ruleset *
build_rules(struct engine *e, const struct router *r, struct filters_live *live, const struct ruleset *before, struct rules *rules, char *why,
		size_t size, int *rc)
{
	char reason[512];
	struct ruleset *set = ruleset_new(rules, r, live, before, reason, sizeof(reason));

	if (set) {
		set->serial = ++e->rules_serial;
		return set;
	}
	*rc = errno == ENOMEM ? -ENOMEM : -EINVAL;
	snprintf(why, size, "rules of %s: %s", r->name, reason);
	rules_free(rules);
	return NULL;
}

struct rules *
decode_rules(const struct router *r, const uint8_t *bytes, size_t len, char *why, size_t size, int *rc)
{
	char reason[512];
	struct rules *rules = rules_decode(bytes, len, reason, sizeof(reason));

	if (rules)
		return rules;
	*rc = errno == ENOMEM ? -ENOMEM : -EINVAL;
	snprintf(why, size, "rules of %s: %s", r->name, reason);
	return NULL;
}

int
need_conntrack(struct engine *e, const struct router *r)
{
	struct conntrack *ct;
	uint64_t seed = 0;

	if (r->live->filters->conntrack ||
			!((r->rules && r->rules->needs & NEEDS_CONNTRACK) || r->balance || tune(&r->tunables, TUNE_CT_TRACKING)))
		return 0;
	if (getrandom(&seed, sizeof(seed), 0) < 0)
		return -errno;
	ct = conntrack_new(r->live, seed);
	if (!ct)
		return -ENOMEM;
	conntrack_paths_set(ct, &e->paths.seam);
	slow_lock(&e->control);
	r->live->filters->conntrack = ct;
	slow_unlock(&e->control);
	return 0;
}

static int
bundled_rules(struct change *c, const struct cfg_node *n, struct placed_node *pn, struct router *r, const struct router *was)
{
	const struct bundle_item *item = bundle_get(c->bundle, n->name, BUNDLE_RULES);
	struct filters_live staged = *pn->live->filters;
	struct rules *rules = NULL;
	int rc = stage_sets(c, n, pn);

	if (rc < 0)
		return rc;
	if (!item && n->filter_rules) {
		snprintf(c->why, c->why_size, "%s: its rules did not come with the configuration", n->name);
		return -EINVAL;
	}
	if (!item)
		return 0;
	if (pn->sets)
		staged.sets = pn->sets;
	rules = decode_rules(r, item->bytes, item->len, c->why, c->why_size, &rc);
	if (!rules)
		return rc;
	rules_keep_counts(rules); /* a configuration says what the rules are, never what they have counted */
	r->rules = build_rules(c->engine, r, &staged, was ? was->rules : NULL, rules, c->why, c->why_size, &rc);
	return rc;
}

int
change_rules(struct change *c, const struct cfg_node *n, struct placed_node *pn, struct router *r, const struct router *was)
{
	int rc = 0;

	if (c->bundle)
		rc = bundled_rules(c, n, pn, r, was);
	else if (was)
		r->rules = was->rules;
	else if (n->filter_rules || n->filter_sets) {
		snprintf(c->why, c->why_size, "%s: its rules did not come with the configuration ('rookery lab' and 'rookery apply' bring them)",
				n->name);
		rc = -EINVAL;
	}
	return rc < 0 ? rc : need_conntrack(c->engine, r);
}

static const struct router *
in_slot(const struct fabric *f, size_t slot)
{
	return slot < f->n_routers ? f->routers[slot] : NULL;
}

void
begin_rules(struct engine *e, const struct router *was, const struct router *r)
{
	if (was && was->rules != r->rules)
		version_bump(&e->epoch, &r->live->version);
	if (r->rules && (!was || was->rules != r->rules))
		ruleset_begin((struct ruleset *)(uintptr_t)r->rules, e->control.walker.env.now);
}

static void
adopt_sets(struct placed_node *pn)
{
	struct filters_live *f = pn->live->filters;
	struct set_list *sets = f->sets;
	char *text = f->sets_text;

	if (!pn->sets)
		return;
	f->sets = pn->sets;
	f->sets_text = pn->sets_text;
	pn->sets = sets;
	pn->sets_text = text;
}

void
adopt_rules(struct engine *e, const struct fabric *was, const struct fabric *next, struct placement *place)
{
	for (size_t i = 0; i < next->n_routers; i++) {
		if (next->routers[i])
			begin_rules(e, in_slot(was, i), next->routers[i]);
	}
	for (size_t n = 0; n < place->config->n_routers; n++) {
		const struct cfg_node *node = &place->config->nodes[n];
		struct placed_node *pn = &place->nodes[n];
		struct conntrack *ct = pn->live->filters->conntrack;

		adopt_sets(pn);
		if (ct && conntrack_set_management(ct, node->management, node->n_management) < 0)
			log_line(LOG_ERROR, "engine", "%s: no memory for its management addresses; the ones before stay", node->name);
		if (balance_adopt(&e->control.walker.env, pn->live->now) < 0)
			log_line(LOG_ERROR, "engine", "%s: no memory for some of its workers, which get no connections", node->name);
	}
}

void
compile_rules(struct engine *e, const struct fabric *f)
{
	for (size_t i = 0; i < f->n_routers; i++) {
		if (f->routers[i] && f->routers[i]->rules)
			compile_ruleset(e->compiler, f->routers[i]->rules);
	}
}

void
forget_rules(struct engine *e, const struct fabric *was, const struct fabric *now)
{
	for (size_t i = 0; was && i < was->n_routers; i++) {
		const struct router *r = was->routers[i], *kept = now ? in_slot(now, i) : NULL;

		if (r && r->rules && (!kept || kept->rules != r->rules))
			compile_forget(e->compiler, r->rules);
	}
}

void
release_rules(const struct router *r, const struct router *kept)
{
	if (r->rules && (!kept || kept->rules != r->rules))
		ruleset_retire((struct ruleset *)(uintptr_t)r->rules, kept ? (struct ruleset *)(uintptr_t)kept->rules : NULL);
}

void
placement_drop_sets(struct placement *p)
{
	for (size_t n = 0; p && n < p->config->n_routers; n++) {
		if (p->nodes[n].sets)
			sets_free(p->nodes[n].sets);
		free(p->nodes[n].sets_text);
		p->nodes[n].sets = NULL;
		p->nodes[n].sets_text = NULL;
	}
}

json_t *
show_sets(struct engine *e, const json_t *request)
{
	const char *node = json_string_value(json_object_get(request, "node"));
	const char *name = json_string_value(json_object_get(request, "name"));
	const struct router *r = engine_router(e, node);
	json_t *answer;
	char *text;

	if (!r)
		return wire_error("there is no router '%s'", node ? node : "");
	slow_lock(&e->control);
	text = json_is_true(json_object_get(request, "list")) ? sets_list(r->live->filters->sets, name, clock_now())
							       : sets_save(r->live->filters->sets, name, clock_now());
	slow_unlock(&e->control);
	if (!text)
		return errno == ENOENT ? wire_error("The set with the given name does not exist") : wire_error("out of memory");
	answer = json_pack("{s:b, s:s}", "ok", 1, "text", text);
	free(text);
	return answer;
}

json_t *
run_sets(struct engine *e, const json_t *request)
{
	const char *node = json_string_value(json_object_get(request, "node"));
	const char *text = json_string_value(json_object_get(request, "text"));
	const struct router *r = engine_router(e, node);
	char why[512];
	int rc;

	if (!r)
		return wire_error("there is no router '%s'", node ? node : "");
	if (!text)
		return wire_error("there are no commands for its sets");
	slow_lock(&e->control);
	rc = sets_run(r->live->filters->sets, text, strlen(text), clock_now(), why, sizeof(why));
	atomic_fetch_add_explicit(&e->epoch.n, 1, memory_order_release); /* it has bumped the versions of the sets */
	slow_unlock(&e->control);
	if (rc < 0)
		return wire_error("%s", rc == -ENOMEM ? "out of memory" : why);
	/* they are no longer what the configuration made: the next one makes them anew */
	free(r->live->filters->sets_text);
	r->live->filters->sets_text = NULL;
	return sets_elements(r->live->filters->sets) <= SMALL_SETS || e->sets_commands++ % COMMANDS_A_COPY == 0 ? show_sets(e, request) : wire_ok();
}
