/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helper: connections that a helper's connection announced (net/netfilter/xt_helper.c). */
#include "filters/helper.h"
#include "filters/extensions.h"
#include "filters/live.h"

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_helper.h>

/* As the kernel compares: what the rule says may go on behind the helper's name (ftp-2121). */
static bool
helper_is(const struct conn *master, const char *name)
{
	const char *own;

	if (!master->helper)
		return false;
	own = helper_at(master->helper)->name;
	return !name[0] || strncmp(own, name, strlen(own)) == 0;
}

static bool
helper_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_helper_info *o = options;
	const struct conntrack *ct = c->router->live->filters->conntrack;
	struct conn *conn = conntrack_of(c->router, c->p);

	(void)state;
	if (!conn || !conn->master)
		return o->invert;
	return helper_is(conntrack_at(ct, conn->master), o->name) != !!o->invert;
}

static int
helper_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_helper_info *o = options;

	(void)prepared;
	if (strnlen(o->name, sizeof(o->name)) == sizeof(o->name))
		return ext_refuse(c, "the name of the helper is too long");
	return 0;
}

const struct match_ops match_helper[] = {
	{
		.name = "helper",
		.size = XT_ALIGN(sizeof(struct xt_helper_info)),
		.reads = READS_STATE,
		.needs = NEEDS_CONNTRACK,
		.check = helper_check,
		.match = helper_match,
	},
	{0},
};
