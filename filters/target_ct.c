/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CT and NOTRACK (net/netfilter/xt_CT.c): what connection tracking is to make of a packet that it
 * has not seen yet. The first that a packet meets decides: as in the kernel, where it hangs a
 * template on the packet. p->ct_zone_dir is never 0 behind one.
 */
#include "filters/conntrack.h"
#include "filters/extensions.h"
#include "filters/helper.h"

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_CT.h>
#include <stdlib.h>

enum {
	DIR_ORIGINAL = 1 << CT_DIR_ORIGINAL,
	DIR_REPLY = 1 << CT_DIR_REPLY,
	DIR_BOTH = DIR_ORIGINAL | DIR_REPLY
};

static_assert(
	offsetof(struct xt_ct_target_info, helper) == offsetof(struct xt_ct_target_info_v1, helper),
	"one function reads all revisions");

/* What run() needs of the options. */
struct ct_rule {
	uint16_t flags, zone;
	uint16_t helper; /* number; 0: none */
};

static int
check_helper(const struct ext_check *c, const char *name, size_t size, uint16_t *number)
{
	if (!name[0])
		return 0;
	if (strnlen(name, size) == size)
		return ext_refuse(c, "the name of the helper is too long");
	if (c->rule->proto == 0 || c->rule->flags & RULE_NOT_PROTO)
		return ext_refuse(c, "You must specify a L4 protocol and not use inversions on it");
	*number = helper_find(name, (uint8_t)c->rule->proto);
	return *number ? 0 : ext_refuse(c, "No such helper \"%s\"", name);
}

static int
check_timeout(const struct ext_check *c, const char *name, size_t size)
{
	if (!name[0])
		return 0;
	if (strnlen(name, size) == size)
		return ext_refuse(c, "the name of the timeout policy is too long");
	return ext_refuse(c, "No such timeout policy \"%s\"", name);
}

/* Nothing else is looked at in a rule that says not to track. */
static int
check_options(const struct ext_check *c, const struct xt_ct_target_info *info, uint16_t allowed,
	struct ct_rule *rule)
{
	*rule = (struct ct_rule){.flags = info->flags, .zone = info->zone};
	if (info->flags & ~allowed)
		return ext_refuse(c, "unknown flags 0x%x", info->flags);
	if (!(info->flags & XT_CT_NOTRACK))
		return check_helper(c, info->helper, sizeof(info->helper), &rule->helper);
	*c->needs = 0; /* a rule that says not to track does not turn tracking on */
	return 0;
}

static int
prepare(int rc, const struct ct_rule *rule, void **prepared)
{
	struct ct_rule *copy = rc < 0 ? NULL : malloc(sizeof(*copy));

	if (rc < 0)
		return rc;
	if (!copy)
		return -ENOMEM;
	*copy = *rule;
	*prepared = copy;
	return 0;
}

static int
check_v0(const struct ext_check *c, const void *options, void **prepared)
{
	struct ct_rule rule;
	int rc = check_options(c, options, XT_CT_NOTRACK, &rule);

	return prepare(rc, &rule, prepared);
}

static int
check_timed(const struct ext_check *c, const struct xt_ct_target_info_v1 *info, uint16_t allowed,
	void **prepared)
{
	struct ct_rule rule;
	int rc = check_options(c, (const struct xt_ct_target_info *)info, allowed, &rule);

	if (rc == 0 && !(info->flags & XT_CT_NOTRACK))
		rc = check_timeout(c, info->timeout, sizeof(info->timeout));
	return prepare(rc, &rule, prepared);
}

static int
check_v1(const struct ext_check *c, const void *options, void **prepared)
{
	return check_timed(c, options, XT_CT_NOTRACK, prepared);
}

static int
check_v2(const struct ext_check *c, const void *options, void **prepared)
{
	return check_timed(c, options, XT_CT_MASK, prepared);
}

static bool
is_decided(const struct pkt *p)
{
	return p->ct || p->ct_info || p->ct_zone_dir;
}

static enum filter_verdict
run_notrack(struct filter_ctx *c, const void *options, void *state)
{
	(void)options;
	(void)state;
	if (!is_decided(c->p))
		c->p->ct_info = CT_UNTRACKED;
	return FILTER_CONTINUE;
}

/* Both directions, unless one alone is named. */
static uint8_t
zone_dir(uint16_t flags)
{
	switch (flags & (XT_CT_ZONE_DIR_ORIG | XT_CT_ZONE_DIR_REPL)) {
	case XT_CT_ZONE_DIR_ORIG:
		return DIR_ORIGINAL;
	case XT_CT_ZONE_DIR_REPL:
		return DIR_REPLY;
	}
	return DIR_BOTH;
}

static enum filter_verdict
run_ct(struct filter_ctx *c, const void *options, void *state)
{
	const struct ct_rule *rule = options;
	struct pkt *p = c->p;

	if (rule->flags & XT_CT_NOTRACK)
		return run_notrack(c, options, state);
	if (is_decided(p))
		return FILTER_CONTINUE;
	p->ct_zone = rule->flags & XT_CT_ZONE_MARK ? (uint16_t)p->mark : rule->zone;
	p->ct_zone_dir = zone_dir(rule->flags);
	p->ct_helper = rule->helper;
	return FILTER_CONTINUE;
}

const struct target_ops target_ct[] = {
	{
		.name = "CT",
		.revision = 0,
		.size = XT_ALIGN(sizeof(struct xt_ct_target_info)),
		.reads = READS_KEY,
		.needs = NEEDS_CONNTRACK,
		.tables = 1 << TABLE_RAW,
		.check = check_v0,
		.release = free,
		.run = run_ct,
	},
	{
		.name = "CT",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_ct_target_info_v1)),
		.reads = READS_KEY,
		.needs = NEEDS_CONNTRACK,
		.tables = 1 << TABLE_RAW,
		.check = check_v1,
		.release = free,
		.run = run_ct,
	},
	{
		.name = "CT",
		.revision = 2,
		.size = XT_ALIGN(sizeof(struct xt_ct_target_info_v1)),
		.reads = READS_KEY,
		.needs = NEEDS_CONNTRACK,
		.tables = 1 << TABLE_RAW,
		.check = check_v2,
		.release = free,
		.run = run_ct,
	},
	{.name = "NOTRACK", .reads = READS_KEY, .tables = 1 << TABLE_RAW, .run = run_notrack},
	{0},
};
