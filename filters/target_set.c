/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SET: adds what a packet has to a set, or deletes it (net/netfilter/xt_set.c); options: set_options.h. */
#include "filters/extensions.h"
#include "filters/live.h"
#include "filters/sets_packet.h"

#include <errno.h>
#include <stdlib.h>

struct set_target {
	struct set *add, *del; /* NULL: not asked for */
	struct set_target_options o;
};

static void
set_target_release(void *prepared)
{
	struct set_target *t = prepared;

	if (t->add)
		set_put(t->add);
	if (t->del)
		set_put(t->del);
	free(t);
}

/* => 0 with *s the set, or NULL if none is named; -EINVAL. */
static int
set_target_get(const struct ext_check *c, const struct set_option *o, struct set **s)
{
	if (o->name[0] == '\0')
		return 0;
	if (!memchr(o->name, '\0', sizeof(o->name)))
		return ext_refuse(c, "the name of the set is too long");
	if (o->dim == 0 || o->dim > IPSET_DIM_MAX)
		return ext_refuse(c, "SET target dimension is over the limit");
	*s = set_get(c->live->sets, o->name);
	return *s ? 0 : ext_refuse(c, "Set %s doesn't exist", o->name);
}

static int
set_target_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct set_target_options *o = options;
	struct set_target *t;
	int err;

	if (o->map.name[0])
		return ext_refuse(c, "--map-set is not supported: sets have no skbinfo here");
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->o = *o;
	err = set_target_get(c, &o->add, &t->add);
	if (!err)
		err = set_target_get(c, &o->del, &t->del);
	if (err) {
		set_target_release(t);
		return err;
	}
	*prepared = t;
	return 0;
}

static enum filter_verdict
set_target_run(struct filter_ctx *c, const void *options, void *state)
{
	const struct set_target *t = options;

	(void)state;
	if (t->add)
		set_packet_add(c, t->add, &t->o.add, t->o.flags & IPSET_FLAG_EXIST, t->o.timeout);
	if (t->del)
		set_packet_del(c, t->del, &t->o.del);
	return FILTER_CONTINUE;
}

#define SET(number) \
	{ \
		.name = "SET", .revision = number, .size = sizeof(struct set_target_options), \
		.reads = READS_NEVER, .check = set_target_check, .release = set_target_release, \
		.run = set_target_run, \
	}

const struct target_ops target_set[] = {SET(1), SET(2), SET(3), {0}};
