/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set: the packet is in an IP set (net/netfilter/xt_set.c). All revisions have the layout of set_options.h. */
#include "filters/extensions.h"
#include "filters/live.h"
#include "filters/sets_packet.h"

#include <errno.h>
#include <stdlib.h>

struct set_match {
	struct set *set;
	struct set_match_options o;
};

static int
set_match_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct set_match_options *o = options;
	struct set_match *m;

	if (!memchr(o->set.name, '\0', sizeof(o->set.name)))
		return ext_refuse(c, "the name of the set is too long");
	if (o->set.dim == 0 || o->set.dim > IPSET_DIM_MAX)
		return ext_refuse(c, "set match dimension is over the limit");
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->o = *o;
	m->set = set_get(c->live->sets, o->set.name);
	if (!m->set) {
		free(m);
		return ext_refuse(c, "Set %s doesn't exist", o->set.name);
	}
	*prepared = m;
	return 0;
}

static void
set_match_release(void *prepared)
{
	struct set_match *m = prepared;

	set_put(m->set);
	free(m);
}

static bool
set_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct set_match *m = options;

	(void)state;
	return set_packet_test(c, m->set, &m->o) != !!m->o.set.inverted;
}

#define SET(number) \
	{ \
		.name = "set", .revision = number, .size = sizeof(struct set_match_options), \
		.reads = READS_STATE, .check = set_match_check, .release = set_match_release, \
		.match = set_match, \
	}

const struct match_ops match_set[] = {SET(0), SET(1), SET(2), SET(3), SET(4), {0}};
