/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recent: addresses seen lately, in tables shared by name (net/netfilter/xt_recent.c). A table holds 100
 * addresses; the one unseen for longest makes room. Each has a ring of the times it was seen, as long as
 * the greatest --hitcount of the rules rounded up to a power of two, or 32. The mask is that of the rule
 * that made the table.
 *
 * Tables are made and counted by the control thread; what they hold is under the slow-way lock. A rule
 * that needs longer rings empties the table: done by its first packet, since packets flow when it is judged.
 */
#include "filters/extensions.h"
#include "filters/live.h"
#include "filters/named.h"

#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_recent.h>
#include <stdlib.h>

enum { RECENT_ADDRESSES = 100, RECENT_STAMPS = 32, RECENT_STAMPS_MAX = 65536 };

struct recent_entry {
	TAILQ_ENTRY(recent_entry) link;
	struct ip_addr addr;
	uint8_t ttl;
	uint32_t next; /* place of the next stamp, 1..size: the last one is stamps[next - 1] */
	uint32_t n;
	uint64_t stamps[];
};

struct recent_table {
	struct named named;
	TAILQ_HEAD(, recent_entry) entries; /* longest unseen first */
	uint32_t n;
	uint32_t stamps; /* of an entry; a power of two */
	uint32_t mask[4];
};

struct recent {
	struct recent_table *table;
	uint32_t seconds, hits, stamps;
	uint8_t flags; /* XT_RECENT_* */
	bool invert, dst;
};

static void
recent_remove(struct recent_table *t, struct recent_entry *e)
{
	TAILQ_REMOVE(&t->entries, e, link);
	t->n--;
	free(e);
}

static void
recent_flush(struct recent_table *t)
{
	while (!TAILQ_EMPTY(&t->entries))
		recent_remove(t, TAILQ_FIRST(&t->entries));
}

static void
recent_table_free(struct named *n)
{
	struct recent_table *t = (struct recent_table *)n;

	recent_flush(t);
	free(t);
}

static struct recent_table *
recent_table_get(struct filters_live *live, const struct xt_recent_mtinfo_v1 *o, uint32_t stamps)
{
	struct recent_table *t;

	t = (struct recent_table *)named_get(live->named, NAMED_RECENT, o->name);
	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->named.kind = NAMED_RECENT;
	t->named.free = recent_table_free;
	memcpy(t->named.name, o->name, sizeof(o->name));
	TAILQ_INIT(&t->entries);
	memcpy(t->mask, &o->mask, sizeof(t->mask));
	t->stamps = stamps;
	named_add(live->named, &t->named);
	return t;
}

/* => NULL, or what is wrong. */
static const char *
recent_wrong(const struct xt_recent_mtinfo_v1 *o)
{
	static const uint8_t verbs =
		XT_RECENT_SET | XT_RECENT_REMOVE | XT_RECENT_CHECK | XT_RECENT_UPDATE;

	if (o->check_set & ~XT_RECENT_VALID_FLAGS)
		return "unknown flags";
	if (__builtin_popcount(o->check_set & verbs) != 1)
		return "exactly one of --set, --rcheck, --update, --remove is needed";
	if (o->check_set & (XT_RECENT_SET | XT_RECENT_REMOVE) &&
		(o->seconds || o->hit_count || o->check_set & XT_RECENT_MODIFIERS))
		return "--seconds, --hitcount, --rttl, --reap go with --rcheck and --update only";
	if (o->check_set & XT_RECENT_REAP && !o->seconds)
		return "--reap needs --seconds";
	if (o->name[0] == '\0' || !memchr(o->name, '\0', sizeof(o->name)))
		return "the name is empty or too long";
	if (strchr(o->name, '/') || strcmp(o->name, ".") == 0 || strcmp(o->name, "..") == 0)
		return "the name may not contain a slash";
	return NULL;
}

static uint32_t
recent_stamps(uint32_t hits)
{
	uint32_t n = 1;

	if (hits == 0)
		return RECENT_STAMPS;
	while (n < hits)
		n *= 2;
	return n;
}

static int
recent_prepare(const struct ext_check *c, const struct xt_recent_mtinfo_v1 *o, void **prepared)
{
	const char *wrong = recent_wrong(o);
	struct recent *r;

	if (wrong)
		return ext_refuse(c, "%s", wrong);
	if (o->hit_count >= RECENT_STAMPS_MAX)
		return ext_refuse(c, "hitcount (%u) is larger than allowed maximum (%u)",
			o->hit_count, RECENT_STAMPS_MAX - 1);
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->seconds = o->seconds;
	r->hits = o->hit_count;
	r->stamps = recent_stamps(o->hit_count);
	r->flags = o->check_set;
	r->invert = o->invert;
	r->dst = o->side == XT_RECENT_DEST;
	r->table = recent_table_get(c->live, o, r->stamps);
	if (!r->table) {
		free(r);
		return -ENOMEM;
	}
	*prepared = r;
	return 0;
}

static int
recent_check_v1(const struct ext_check *c, const void *options, void **prepared)
{
	return recent_prepare(c, options, prepared);
}

static int
recent_check_v0(const struct ext_check *c, const void *options, void **prepared)
{
	struct xt_recent_mtinfo_v1 o = {0};

	memcpy(&o, options, sizeof(struct xt_recent_mtinfo));
	memset(&o.mask, 0xff, sizeof(o.mask));
	return recent_prepare(c, &o, prepared);
}

static void
recent_release(void *prepared)
{
	struct recent *r = prepared;

	named_put(&r->table->named);
	free(r);
}

static struct ip_addr
recent_address(const struct recent *r, const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);
	struct ip_addr a = ip4(r->dst ? ip->daddr : ip->saddr);

	a.v4 &= r->table->mask[0];
	return a;
}

/* As it was before this router took one off; the kernel thinks so of all that no socket sent. */
static uint8_t
recent_ttl(const struct filter_ctx *c)
{
	bool sent = (c->p->flags & (PKT_LOCAL | PKT_NO_SOCKET)) == PKT_LOCAL;

	return (uint8_t)(pkt_ip4(c->p)->ttl + (c->out && !sent));
}

/* `ttl` 0: any. */
static struct recent_entry *
recent_find(const struct recent_table *t, const struct ip_addr *a, uint8_t ttl)
{
	struct recent_entry *e;

	TAILQ_FOREACH(e, &t->entries, link)
		if (ip_equal(&e->addr, a) && (ttl == 0 || e->ttl == 0 || e->ttl == ttl))
			return e;
	return NULL;
}

/* => false: no memory. */
static bool
recent_add(struct recent_table *t, const struct ip_addr *a, uint8_t ttl, uint64_t now)
{
	struct recent_entry *e;

	if (t->n >= RECENT_ADDRESSES)
		recent_remove(t, TAILQ_FIRST(&t->entries));
	e = malloc(sizeof(*e) + t->stamps * sizeof(e->stamps[0]));
	if (!e)
		return false;
	e->addr = *a;
	e->ttl = ttl;
	e->stamps[0] = now;
	e->next = e->n = 1;
	TAILQ_INSERT_TAIL(&t->entries, e, link);
	t->n++;
	return true;
}

static void
recent_touch(struct recent_table *t, struct recent_entry *e, uint8_t ttl, uint64_t now)
{
	e->next &= t->stamps - 1;
	e->stamps[e->next++] = now;
	if (e->next > e->n)
		e->n = e->next;
	e->ttl = ttl;
	TAILQ_REMOVE(&t->entries, e, link);
	TAILQ_INSERT_TAIL(&t->entries, e, link);
}

/* True when `stamp` is older than the rule's --seconds; safe for a clock that is younger than that. */
static bool
recent_is_old(const struct recent *r, uint64_t stamp, uint64_t now)
{
	return (int64_t)(now - r->seconds * 1000000000ull - stamp) > 0;
}

static bool
recent_hit(const struct recent *r, const struct recent_entry *e, uint64_t now)
{
	uint32_t hits = 0;

	for (uint32_t i = 0; i < e->n; i++) {
		if (r->seconds && recent_is_old(r, e->stamps[i], now))
			continue;
		if (r->hits == 0 || ++hits >= r->hits)
			return true;
	}
	return false;
}

/* --reap: the address unseen for longest goes, unless it is about to be updated. */
static void
recent_reap(const struct recent *r, const struct recent_entry *updated, uint64_t now)
{
	struct recent_entry *oldest = TAILQ_FIRST(&r->table->entries);

	if (oldest != updated && recent_is_old(r, oldest->stamps[oldest->next - 1], now))
		recent_remove(r->table, oldest);
}

/* --rcheck, --update. */
static bool
recent_look(const struct recent *r, struct recent_entry *e, uint8_t ttl, uint64_t now)
{
	bool result = recent_hit(r, e, now) != r->invert;
	bool update = r->flags & XT_RECENT_UPDATE && result;

	if (r->flags & XT_RECENT_REAP)
		recent_reap(r, update ? e : NULL, now);
	if (update)
		recent_touch(r->table, e, ttl, now);
	return result;
}

static bool
recent_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct recent *r = options;
	struct recent_table *t = r->table;
	struct ip_addr a = recent_address(r, c->p);
	uint8_t ttl = recent_ttl(c);
	struct recent_entry *e;

	(void)state;
	if (r->stamps > t->stamps) {
		recent_flush(t);
		t->stamps = r->stamps;
	}
	e = recent_find(t, &a, r->flags & XT_RECENT_TTL ? ttl : 0);
	if (!e) {
		if (!(r->flags & XT_RECENT_SET))
			return r->invert;
		c->malformed = !recent_add(t, &a, ttl, c->env->now);
		return !r->invert;
	}
	if (r->flags & (XT_RECENT_CHECK | XT_RECENT_UPDATE))
		return recent_look(r, e, ttl, c->env->now);
	if (r->flags & XT_RECENT_REMOVE)
		recent_remove(t, e);
	else
		recent_touch(t, e, ttl, c->env->now);
	return !r->invert;
}

const struct match_ops match_recent[] = {
	{
		.name = "recent",
		.revision = 0,
		.size = XT_ALIGN(sizeof(struct xt_recent_mtinfo)),
		.reads = READS_NEVER,
		.check = recent_check_v0,
		.release = recent_release,
		.match = recent_match,
	},
	{
		.name = "recent",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_recent_mtinfo_v1)),
		.reads = READS_NEVER,
		.check = recent_check_v1,
		.release = recent_release,
		.match = recent_match,
	},
	{0},
};
