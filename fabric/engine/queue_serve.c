/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What programs and the engine say to each other about queued packets (fabric/control/proto.h). */
#include "fabric/control/base64.h"
#include "fabric/control/wire.h"
#include "fabric/engine/engine.h"
#include "fabric/engine/queue.h"
#include "filters/rules.h"

#include <errno.h>
#include <stdlib.h>

static bool
is_number(const json_t *msg, const char *key, int64_t max, int64_t *out)
{
	const json_t *v = json_object_get(msg, key);

	*out = json_integer_value(v);
	return json_is_integer(v) && *out >= 0 && *out <= max;
}

json_t *
queue_bind(struct engine *e, struct queues *all, const struct router *r, const json_t *msg,
	struct queue **q)
{
	int64_t number, copy = QUEUE_DATA_MAX;

	*q = NULL;
	if (!r)
		return wire_error("there is no such router");
	if (!is_number(msg, "number", UINT16_MAX, &number))
		return wire_error("the number of a queue is 0 to 65535");
	if (json_object_get(msg, "copy") && !is_number(msg, "copy", UINT32_MAX, &copy))
		return wire_error("copy is a number of bytes");
	slow_lock(&e->control);
	*q = queue_open(all, r->live, (uint16_t)number, (uint32_t)copy, e->control.wake_fd);
	slow_unlock(&e->control);
	if (*q)
		return wire_ok();
	return errno == EBUSY
		       ? wire_error("queue %d of %s has a program already", (int)number, r->name)
		       : wire_error("no memory for one more queue");
}

void
queue_unbind(struct queue *q, struct engine *e)
{
	slow_lock(&e->control);
	queue_close(q, &e->control.walker.env);
	slow_unlock(&e->control);
}

json_t *
queue_message(struct queue *q, struct engine *e)
{
	struct queue_packet p;
	char *data;
	json_t *msg;
	bool there;

	slow_lock(&e->control);
	there = queue_next(q, &p);
	slow_unlock(&e->control);
	data = there ? malloc(BASE64_ENCODED((size_t)p.caplen) + 1) : NULL;
	if (!data)
		return NULL; /* without memory it is lost to its time limit */
	base64_encode(p.data, p.caplen, data);
	msg = json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "id", (json_int_t)p.id, "hook",
		rules_hook_name(p.hook), "in", p.in, "out", p.out, "mark", (json_int_t)p.mark,
		"len", (json_int_t)p.len, "ts_ns", (json_int_t)p.when, "data", data);
	free(data);
	if (msg && p.gso_size)
		json_object_set_new(msg, "gso", json_integer(p.gso_size));
	return msg;
}

static const char *const kinds[] = {
	[QUEUE_ACCEPT] = "accept",
	[QUEUE_DROP] = "drop",
	[QUEUE_REPEAT] = "repeat",
	[QUEUE_OTHER] = "queue",
};

static bool
kind_of(const json_t *msg, enum queue_verdict_kind *kind)
{
	const char *word = json_string_value(json_object_get(msg, "verdict"));

	for (size_t i = 0; word && i < RTE_DIM(kinds); i++) {
		if (strcmp(kinds[i], word) == 0) {
			*kind = (enum queue_verdict_kind)i;
			return true;
		}
	}
	return false;
}

/* => NULL, or what is wrong. v->data is to be freed. */
static json_t *
new_bytes(const json_t *msg, struct queue_verdict *v)
{
	const json_t *data = json_object_get(msg, "data");
	size_t len = json_string_length(data);
	ssize_t n = -1;
	uint8_t *bytes;

	if (!data)
		return NULL;
	bytes = len && len <= BASE64_ENCODED((size_t)QUEUE_DATA_MAX) ? malloc(BASE64_DECODED(len))
								     : NULL;
	if (bytes)
		n = base64_decode(json_string_value(data), len, bytes);
	if (n <= 0 || n > QUEUE_DATA_MAX) {
		free(bytes);
		return wire_error(
			"data is a packet in base64, of at most %d bytes", QUEUE_DATA_MAX);
	}
	v->data = bytes;
	v->len = (size_t)n;
	return NULL;
}

static json_t *
parse_verdict(const json_t *msg, struct queue_verdict *v)
{
	int64_t id, number = 0, mark = 0;

	*v = (struct queue_verdict){0};
	if (!is_number(msg, "id", INT64_MAX, &id))
		return wire_error("a verdict without the id of a packet");
	if (!kind_of(msg, &v->kind))
		return wire_error("a verdict is accept, drop, repeat or queue");
	if (v->kind == QUEUE_OTHER && !is_number(msg, "number", UINT16_MAX, &number))
		return wire_error("the number of a queue is 0 to 65535");
	v->set_mark = json_object_get(msg, "mark");
	if (v->set_mark && !is_number(msg, "mark", UINT32_MAX, &mark))
		return wire_error("a mark is a number of 32 bits");
	v->id = (uint64_t)id;
	v->number = (uint16_t)number;
	v->mark = (uint32_t)mark;
	return new_bytes(msg, v);
}

json_t *
queue_verdict(struct queue *q, struct engine *e, const json_t *msg)
{
	struct queue_verdict v;
	json_t *wrong = parse_verdict(msg, &v);

	if (wrong)
		return wrong;
	slow_lock(&e->control);
	queue_decide(
		q, &e->control.walker.env, &v); /* one that is not there any more was too late */
	worker_run_queue(&e->control);
	slow_unlock(&e->control);
	worker_flush(&e->control);
	free((void *)(uintptr_t)v.data);
	return NULL;
}
