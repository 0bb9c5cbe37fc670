/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NFQUEUE (net/netfilter/xt_NFQUEUE.c): a program decides. */
#include "filters/extensions.h"

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_NFQUEUE.h>

/* Later revisions add a field at the end; check() has seen to it that those of earlier ones are not
 * read. */
static_assert(
	offsetof(struct xt_NFQ_info_v1, queues_total) ==
			offsetof(struct xt_NFQ_info_v3, queues_total) &&
		offsetof(struct xt_NFQ_info_v2, bypass) == offsetof(struct xt_NFQ_info_v3, flags),
	"one function reads all revisions");

static int
check_total(const struct ext_check *c, const struct xt_NFQ_info_v1 *info)
{
	uint32_t last = (uint32_t)info->queuenum + info->queues_total - 1;

	if (info->queues_total == 0)
		return ext_refuse(c, "number of total queues is 0");
	if (last > UINT16_MAX)
		return ext_refuse(
			c, "number of queues (%u) out of range (got %u)", info->queues_total, last);
	return 0;
}

static int
check_v1(const struct ext_check *c, const void *options, void **prepared)
{
	(void)prepared;
	return check_total(c, options);
}

static int
check_v2(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_NFQ_info_v2 *info = options;

	(void)prepared;
	if (info->bypass > 1)
		return ext_refuse(c, "bypass is 0 or 1");
	return check_total(c, options);
}

static int
check_v3(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_NFQ_info_v3 *info = options;

	(void)prepared;
	if (info->flags & ~NFQ_FLAG_MASK)
		return ext_refuse(c, "unknown flags 0x%x", info->flags);
	return check_total(c, options);
}

/* The same for both directions of what two addresses say in one protocol, as the kernel's
 * nfqueue_hash(). */
static uint32_t
pair_hash(const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);
	uint32_t a = RTE_MIN(ip->saddr, ip->daddr), b = RTE_MAX(ip->saddr, ip->daddr);
	uint32_t h = (a * 0x9e3779b1u) ^ (b * 0x85ebca77u) ^ (p->proto * 0xc2b2ae3du);

	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	return h ^ h >> 12;
}

static enum filter_verdict
run_v0(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_NFQ_info *info = options;

	(void)state;
	c->queue = info->queuenum;
	c->queue_flags = 0;
	return FILTER_QUEUE;
}

/* Fanout by CPU goes by the flow too: what a worker handles is no property of a flow here. */
static enum filter_verdict
run_v1(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_NFQ_info_v1 *info = options;

	run_v0(c, options, state);
	if (info->queues_total > 1 && c->p->family == AF_INET)
		c->queue += (uint32_t)((uint64_t)pair_hash(c->p) * info->queues_total >> 32);
	return FILTER_QUEUE;
}

static enum filter_verdict
run_v3(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_NFQ_info_v3 *info = options;

	run_v1(c, options, state);
	c->queue_flags = info->flags & NFQ_FLAG_BYPASS ? FILTER_QUEUE_BYPASS : 0;
	return FILTER_QUEUE;
}

const struct target_ops target_queue[] = {
	{.name = "NFQUEUE",
		.revision = 0,
		.size = XT_ALIGN(sizeof(struct xt_NFQ_info)),
		.run = run_v0},
	{
		.name = "NFQUEUE",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_NFQ_info_v1)),
		.check = check_v1,
		.run = run_v1,
	},
	{
		.name = "NFQUEUE",
		.revision = 2,
		.size = XT_ALIGN(sizeof(struct xt_NFQ_info_v2)),
		.check = check_v2,
		.run = run_v3,
	},
	{
		.name = "NFQUEUE",
		.revision = 3,
		.size = XT_ALIGN(sizeof(struct xt_NFQ_info_v3)),
		.check = check_v3,
		.run = run_v3,
	},
	{0},
};
