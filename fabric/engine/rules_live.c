/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of one router alone, live: all of them, or one edit. */
#include "fabric/control/bundle.h"
#include "fabric/control/wire.h"
#include "fabric/engine/build_nat.h"
#include "fabric/engine/compile.h"
#include "fabric/engine/rules.h"
#include "filters/live.h"
#include "filters/ruleset.h"

#include <errno.h>
#include <stdlib.h>

static void *
duplicate(const void *from, size_t size)
{
	void *to = malloc(size + 1);

	return to ? memcpy(to, from, size) : NULL;
}

static void
shell_free(struct fabric *f)
{
	if (!f)
		return;
	free(f->routers);
	free(f->lans);
	free(f->ports);
	free(f);
}

/* The generation before with one router exchanged: all else is shared. */
static struct fabric *
shell_new(const struct fabric *from, struct router *r)
{
	struct fabric *f = duplicate(from, sizeof(*f));

	if (!f)
		return NULL;
	f->routers = duplicate(from->routers, from->n_routers * sizeof(*f->routers));
	f->lans = duplicate(from->lans, from->n_lans * sizeof(*f->lans));
	f->ports = duplicate(from->ports, from->n_ports * sizeof(*f->ports));
	if (!f->routers || !f->lans || !f->ports) {
		shell_free(f);
		return NULL;
	}
	f->routers[r->slot] = r;
	return f;
}

static void
swap_router(struct engine *e, struct fabric *next, struct router *r)
{
	struct fabric *was = atomic_load(&e->fabric);
	const struct router *old = was->routers[r->slot];

	slow_lock(&e->control);
	atomic_store_explicit(&e->fabric, next, memory_order_release);
	e->control.walker.fabric = next;
	r->live->now = r;
	begin_rules(e, old, r);
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_follow(&e->workers[i], next);
	worker_follow(&e->control, next);
	paths_sweep(&e->paths);
	announce_proxied(e, old, r);
	worker_run_queue(&e->control);
	slow_unlock(&e->control);
	worker_flush(&e->control);
	if (r->rules)
		compile_ruleset(e->compiler, r->rules);
	engine_synchronize(e);
	if (old->rules && old->rules != r->rules)
		compile_forget(e->compiler, old->rules);
	release_rules(old, r);
	free(old->proxied);
	free(was->routers[r->slot]);
	shell_free(was);
}

static uint64_t
serial_of(const struct router *r)
{
	return r->rules ? r->rules->serial : 0;
}

static int
no_router(const char *node, char *why, size_t size)
{
	snprintf(why, size, "there is no router '%s'", node ? node : "");
	return -ENOENT;
}

/* A router that is to take the place of `old`, in a generation that is to come, without rules yet. => 0 or -ENOMEM */
static int
copy_router(struct engine *e, const struct router *old, struct router **r, struct fabric **next)
{
	*r = duplicate(old, sizeof(**r));
	*next = *r ? shell_new(atomic_load(&e->fabric), *r) : NULL;
	if (*next) {
		(*r)->rules = NULL;
		return 0;
	}
	free(*r);
	return -ENOMEM;
}

/* Publishes `r` in `next`, if its rules could be built (`rc` 0) and it has what they need; else frees all three. => 0 or -errno */
static int
publish_router(struct engine *e, const struct router *old, struct router *r, struct fabric *next, int rc)
{
	if (rc == 0)
		rc = need_conntrack(e, r);
	if (rc == 0)
		rc = build_proxied(config_node(e->config, r->name), r);
	if (rc == 0) {
		swap_router(e, next, r);
		return 0;
	}
	release_rules(r, old);
	free(r->proxied != old->proxied ? r->proxied : NULL);
	shell_free(next);
	free(r);
	return rc;
}

/* Publishes `tree`, which is taken, as the rules of `old`. => 0 or -errno with `why` */
static int
publish_tree(struct engine *e, const struct router *old, struct rules *tree, char *why, size_t size)
{
	struct router *r;
	struct fabric *next;
	int rc = copy_router(e, old, &r, &next);

	snprintf(why, size, "out of memory");
	if (rc < 0) {
		rules_free(tree);
		return rc;
	}
	r->rules = build_rules(e, r, r->live->filters, old->rules, tree, why, size, &rc);
	return publish_router(e, old, r, next, rc);
}

static int
changed_meanwhile(const struct router *r, char *why, size_t size)
{
	snprintf(why, size, "the rules of %s were changed meanwhile", r->name);
	return -EAGAIN;
}

int
publish_rules(struct engine *e, const char *node, uint64_t base, const uint8_t *bytes, size_t len, char *why, size_t size)
{
	const struct router *old = engine_router(e, node);
	struct rules *tree;
	int rc = 0;

	if (!old)
		return no_router(node, why, size);
	if (serial_of(old) != base)
		return changed_meanwhile(old, why, size);
	tree = decode_rules(old, bytes, len, why, size, &rc);
	return tree ? publish_tree(e, old, tree, why, size) : rc;
}

/* ---- edits ---- */

/* With present counters. => NULL: ENOMEM */
static uint8_t *
encode_present(struct engine *e, const struct router *r, size_t *len)
{
	struct rules *none;
	uint8_t *bytes;

	if (r->rules) {
		slow_lock(&e->control);
		paths_credit(&e->paths);
		bytes = ruleset_encode(r->rules, len);
		slow_unlock(&e->control);
		return bytes;
	}
	none = rules_new();
	bytes = none ? rules_encode(none, len) : NULL;
	rules_free(none);
	return bytes;
}

/* A tree like that of the router, to be changed. => NULL: no memory */
static struct rules *
copy_tree(struct engine *e, const struct router *r)
{
	size_t len;
	uint8_t *bytes = encode_present(e, r, &len);
	char why[256];
	struct rules *tree = bytes ? rules_decode(bytes, len, why, sizeof(why)) : NULL;

	free(bytes);
	if (tree)
		rules_keep_loaded(tree);
	return tree;
}

/* An edit on its way. */
struct request {
	struct engine *e;
	const struct router *old;
	const uint8_t *bytes;
	size_t len;
	struct rules_edit edit;      /* what the bytes say */
	struct rules_change *change; /* and what it comes to */
	char *why;
	size_t why_size;
};

/* Carries the edit out on a tree that is not in force. => 0, or -errno as filters/rules_edit.h says */
static int
edit_tree(struct request *q, struct rules *tree)
{
	struct rules_editor editor = {0};
	struct rules_edit edit; /* with vectors of the tree */
	int rc = rules_edit_decode(q->bytes, q->len, tree, &edit, q->why, q->why_size);

	if (rc < 0)
		return rc;
	*q->why = '\0';
	rc = rules_editor_open(&editor, tree, edit.table);
	if (rc == 0)
		rc = rules_edit_plan(&editor, &edit, q->change);
	if (rc == 0)
		rc = rules_edit_run(&editor, &edit, q->change);
	rules_editor_close(&editor);
	return rc;
}

/* The whole of the rules anew: for what changes more than a chain. */
static int
edit_anew(struct request *q)
{
	struct rules *tree = copy_tree(q->e, q->old);
	int rc = tree ? edit_tree(q, tree) : -ENOMEM;

	if (rc == 0 && q->change->kind != CHANGE_NOTHING && q->change->kind != CHANGE_COUNTS)
		return publish_tree(q->e, q->old, tree, q->why, q->why_size);
	rules_free(tree);
	return rc;
}

/* One chain, and what hangs on it; or the whole, if the rest has to be judged again. */
static int
edit_chain(struct request *q)
{
	struct ruleset *now = (struct ruleset *)(uintptr_t)q->old->rules, *set;
	char reason[512] = "";
	struct router *r;
	struct fabric *next;
	int rc = copy_router(q->e, q->old, &r, &next);

	if (rc < 0)
		return rc;
	set = ruleset_edit(now, &q->edit, q->change, r, r->live->filters, reason, sizeof(reason));
	rc = set ? 0 : -errno;
	r->rules = set;
	if (set)
		set->serial = ++q->e->rules_serial;
	else if (rc == -EINVAL)
		snprintf(q->why, q->why_size, "rules of %s: %s", r->name, reason);
	rc = publish_router(q->e, q->old, r, next, rc);
	return rc == -ESTALE ? edit_anew(q) : rc;
}

static int
zero_counts(struct request *q)
{
	int rc;

	slow_lock(&q->e->control);
	paths_credit(&q->e->paths);
	rc = ruleset_zero(q->old->rules, &q->edit, q->change);
	slow_unlock(&q->e->control);
	return rc;
}

static int
run_edit(struct request *q)
{
	const struct ruleset *now = q->old->rules;
	struct rules_editor editor = {0};
	int rc;

	if (!now || !now->tables[q->edit.table].present)
		return edit_anew(q);
	rc = rules_editor_open(&editor, now->rules, q->edit.table);
	if (rc == 0)
		rc = rules_edit_plan(&editor, &q->edit, q->change);
	rules_editor_close(&editor);
	if (rc < 0 || q->change->kind == CHANGE_NOTHING)
		return rc;
	if (q->change->kind == CHANGE_COUNTS)
		return zero_counts(q);
	return q->change->kind == CHANGE_MORE ? edit_anew(q) : edit_chain(q);
}

int
publish_edit(struct engine *e, const char *node, const uint64_t *base, const uint8_t *bytes, size_t len, struct rules_change *change, char *why,
		size_t size)
{
	struct request q = {.e = e, .old = engine_router(e, node), .bytes = bytes, .len = len, .change = change, .why = why, .why_size = size};
	struct rules *memory;
	int rc;

	if (!q.old)
		return no_router(node, why, size);
	if (base && *base != serial_of(q.old))
		return changed_meanwhile(q.old, why, size);
	memory = rules_new();
	*why = '\0';
	rc = memory ? rules_edit_decode(bytes, len, memory, &q.edit, why, size) : -ENOMEM;
	if (rc == 0)
		rc = run_edit(&q);
	rules_free(memory);
	return rc;
}

json_t *
show_rules(struct engine *e, const json_t *request, int *fd)
{
	const char *node = json_string_value(json_object_get(request, "node"));
	const struct router *r = engine_router(e, node);
	uint8_t *bytes;
	size_t len;

	*fd = -1;
	if (!r)
		return wire_error("there is no router '%s'", node ? node : "");
	bytes = encode_present(e, r, &len);
	if (bytes)
		*fd = bytes_write(bytes, len);
	free(bytes);
	if (*fd < 0)
		return wire_error("no memory for the rules of %s", r->name);
	return json_pack("{s:b, s:I}", "ok", 1, "serial", (json_int_t)serial_of(r));
}
