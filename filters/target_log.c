/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LOG (xt_LOG.c), NFLOG (xt_NFLOG.c) and TRACE (xt_TRACE.c): they tell of a packet, and the next
 * rule follows. */
#include "filters/extensions.h"
#include "filters/packet_line.h"

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_LOG.h>
#include <linux/netfilter/xt_NFLOG.h>
#include <stdio.h>

enum { LEVELS = 8 };

static int
check_log(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_log_info *info = options;

	(void)prepared;
	if (info->level >= LEVELS)
		return ext_refuse(c, "log level %u: levels are 0 to 7", info->level);
	if (info->prefix[sizeof(info->prefix) - 1])
		return ext_refuse(c, "the prefix is not terminated");
	return 0;
}

static enum filter_verdict
run_log(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_log_info *info = options;
	char line[sizeof(info->prefix) + PACKET_LINE_SIZE];
	int n;

	(void)state;
	if (!c->env->ops->log)
		return FILTER_CONTINUE;
	n = snprintf(line, sizeof(line), "%s", info->prefix);
	packet_line_write(c, info->logflags, line + n, sizeof(line) - (size_t)n);
	c->env->ops->log(c->env, c->p, info->level, line);
	return FILTER_CONTINUE;
}

static int
check_nflog(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_nflog_info *info = options;

	(void)prepared;
	if (info->flags & ~XT_NFLOG_MASK)
		return ext_refuse(c, "unknown flags 0x%x", info->flags);
	if (info->prefix[sizeof(info->prefix) - 1])
		return ext_refuse(c, "the prefix is not terminated");
	return 0;
}

/* The length of the rule counts only with its flag: --nflog-range was never heeded. A threshold
 * batches for a reader; our file needs none. */
static enum filter_verdict
run_nflog(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_nflog_info *info = options;
	uint32_t len = info->flags & XT_NFLOG_F_COPY_LEN ? info->len : UINT32_MAX;

	(void)state;
	if (c->env->ops->nflog)
		c->env->ops->nflog(c->env, c->p, info->group, info->prefix, len);
	return FILTER_CONTINUE;
}

static enum filter_verdict
run_trace(struct filter_ctx *c, const void *options, void *state)
{
	(void)options;
	(void)state;
	c->p->flags |= PKT_TRACE;
	return FILTER_CONTINUE;
}

const struct target_ops target_log[] = {
	{.name = "LOG",
		.size = XT_ALIGN(sizeof(struct xt_log_info)),
		.check = check_log,
		.run = run_log},
	{.name = "NFLOG",
		.size = XT_ALIGN(sizeof(struct xt_nflog_info)),
		.check = check_nflog,
		.run = run_nflog},
	{.name = "TRACE", .tables = 1 << TABLE_RAW, .run = run_trace},
	{0},
};
