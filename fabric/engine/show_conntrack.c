/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/show_conntrack.h"

#include "fabric/control/wire.h"
#include "filters/conntrack.h"
#include "filters/live.h"

#include <stdlib.h>

enum { PAGE = 512, LINE = 512, EXPECTATIONS = 4096 };

struct page {
	uint64_t now;
	json_t *lines;
};

static void
add_line(void *arg, uint32_t index, struct conn *c)
{
	struct page *page = arg;
	char line[LINE];

	conntrack_print(c, page->now, line, sizeof(line));
	json_array_append_new(page->lines, json_pack("{s:I, s:I, s:s}", "index", (json_int_t)index, "id", (json_int_t)c->id, "line", line));
}

static json_t *
list(struct engine *e, struct conntrack *ct, const json_t *request)
{
	uint32_t cursor = (uint32_t)json_integer_value(json_object_get(request, "cursor"));
	struct page page = {clock_now(), json_array()};
	bool more;

	slow_lock(&e->control);
	more = conntrack_walk(ct, page.now, &cursor, PAGE, add_line, &page);
	slow_unlock(&e->control);
	return json_pack("{s:b, s:o, s:I, s:b}", "ok", 1, "connections", page.lines, "cursor", (json_int_t)cursor, "more", more);
}

static json_t *
count(struct engine *e, struct conntrack *ct)
{
	struct conntrack_stats s;

	slow_lock(&e->control);
	conntrack_stats(ct, &s);
	slow_unlock(&e->control);
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "ok", 1, "count", (json_int_t)s.count, "max",
			(json_int_t)s.max, "buckets", (json_int_t)s.buckets, "memory", (json_int_t)s.memory, "found", (json_int_t)s.found,
			"invalid", (json_int_t)s.invalid, "insert", (json_int_t)s.insert, "insert_failed", (json_int_t)s.insert_failed, "drop",
			(json_int_t)s.drop, "early_drop", (json_int_t)s.early_drop, "error", (json_int_t)s.error, "expect_new",
			(json_int_t)s.expect_new, "expect_create", (json_int_t)s.expect_create, "expect_delete", (json_int_t)s.expect_delete);
}

/* All at once: few are ever waited for. */
static json_t *
list_expectations(struct engine *e, const struct conntrack *ct)
{
	char (*lines)[CT_EXPECT_LINE] = calloc(EXPECTATIONS, sizeof(*lines));
	json_t *array;
	uint32_t n;

	if (!lines)
		return wire_error("no memory to list expectations");
	slow_lock(&e->control);
	n = conntrack_expectations(ct, clock_now(), lines, EXPECTATIONS);
	slow_unlock(&e->control);
	array = json_array();
	for (uint32_t i = 0; i < n && i < EXPECTATIONS; i++)
		json_array_append_new(array, json_string(lines[i]));
	free(lines);
	return json_pack("{s:b, s:o, s:I}", "ok", 1, "expectations", array, "count", (json_int_t)n);
}

struct victim {
	uint32_t index, id;
	struct conn *found;
};

static void
find(void *arg, uint32_t index, struct conn *c)
{
	struct victim *v = arg;

	if (index == v->index && c->id == v->id)
		v->found = c;
}

static json_t *
end_some(struct engine *e, struct conntrack *ct, const json_t *which)
{
	json_int_t n = 0;
	json_t *row;
	size_t i;

	slow_lock(&e->control);
	json_array_foreach(which, i, row) {
		struct victim v = {(uint32_t)json_integer_value(json_object_get(row, "index")),
				(uint32_t)json_integer_value(json_object_get(row, "id")), NULL};
		uint32_t cursor = v.index;

		conntrack_walk(ct, e->control.walker.env.now, &cursor, 1, find, &v);
		if (!v.found)
			continue;
		conntrack_delete(&e->control.walker.env, ct, v.found);
		n++;
	}
	slow_unlock(&e->control);
	worker_flush(&e->control);
	return json_pack("{s:b, s:I}", "ok", 1, "deleted", n);
}

struct victims {
	struct conn *conns[PAGE];
	size_t n;
};

static void
collect(void *arg, uint32_t index, struct conn *c)
{
	struct victims *v = arg;

	(void)index;
	v->conns[v->n++] = c;
}

/* A page at a time: packets pass in between. */
static json_t *
end_all(struct engine *e, struct conntrack *ct)
{
	uint32_t cursor = 0;
	bool more = true;

	while (more) {
		struct victims v = {.n = 0};

		slow_lock(&e->control);
		more = conntrack_walk(ct, e->control.walker.env.now, &cursor, PAGE, collect, &v);
		for (size_t i = 0; i < v.n; i++)
			conntrack_delete(&e->control.walker.env, ct, v.conns[i]);
		slow_unlock(&e->control);
		worker_flush(&e->control);
	}
	return wire_ok();
}

json_t *
show_conntrack(struct engine *e, const json_t *request)
{
	const char *node = json_string_value(json_object_get(request, "node"));
	const char *what = json_string_value(json_object_get(request, "what"));
	const struct router *r = engine_router(e, node);
	struct conntrack *ct;

	if (!r)
		return wire_error("there is no router '%s'", node ? node : "");
	ct = r->live->filters->conntrack;
	if (what && strcmp(what, "list") == 0)
		return ct ? list(e, ct, request) : json_pack("{s:b, s:[], s:i, s:b}", "ok", 1, "connections", "cursor", 0, "more", 0);
	if (what && strcmp(what, "count") == 0)
		return ct ? count(e, ct) : json_pack("{s:b, s:i}", "ok", 1, "count", 0);
	if (what && strcmp(what, "expectations") == 0)
		return ct ? list_expectations(e, ct) : json_pack("{s:b, s:[], s:i}", "ok", 1, "expectations", "count", 0);
	if (what && strcmp(what, "delete") == 0)
		return ct ? end_some(e, ct, json_object_get(request, "connections")) : json_pack("{s:b, s:i}", "ok", 1, "deleted", 0);
	if (what && strcmp(what, "flush") == 0)
		return ct ? end_all(e, ct) : wire_ok();
	return wire_error("connections are listed, counted, deleted or flushed, not '%s'", what ? what : "");
}
