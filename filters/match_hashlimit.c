/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hashlimit: a token bucket, or a rate measured over an interval, for each address and port that is seen
 * (net/netfilter/xt_hashlimit.c). Buckets lie in tables shared by name; the rule that made a table gave its
 * parameters. A full table drops packets of whom it does not know.
 *
 * The kernel sweeps its tables by a timer. Here an entry is dead from the first sweep at which it had
 * expired: it is found out by whoever comes across it, and a full table is swept once per interval. So the
 * answers are the same and nothing ticks.
 *
 * Tables are made and counted by the control thread; what they hold is under the slow-way lock.
 */
#include "filters/extensions.h"
#include "filters/live.h"
#include "filters/named.h"

#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_hashlimit.h>
#include <rte_jhash.h>
#include <stdlib.h>

enum {
	HASHLIMIT_SIZE = 8192,         /* buckets, unless --hashlimit-htable-size says */
	HASHLIMIT_SIZE_MAX = 1048576,  /* buckets, and entries */
	HASHLIMIT_PER_BUCKET = 8,      /* entries, unless --hashlimit-htable-max says */
};

/* Credits a second: what the kernel's constants make of it at HZ 250 and at HZ 1000. */
static const uint64_t CREDITS_V1 = 32000, CREDITS = 137438953472000, CREDITS_BYTES = 4194304000;
static const uint64_t SECOND = 1000000000, MS = 1000000;

static const uint32_t MODES = XT_HASHLIMIT_HASH_DIP | XT_HASHLIMIT_HASH_DPT |
	XT_HASHLIMIT_HASH_SIP | XT_HASHLIMIT_HASH_SPT | XT_HASHLIMIT_INVERT | XT_HASHLIMIT_BYTES;

struct hashlimit_key {
	uint32_t src, dst;
	uint16_t sport, dport;
};

struct hashlimit_entry {
	struct hashlimit_entry *next;
	struct hashlimit_key key;
	uint64_t expires, since;
	union {
		struct {
			uint64_t credit, cap, cost; /* bytes: cap is how often it may be filled up */
		};
		struct {
			uint64_t seen, rate, burst; /* --hashlimit-rate-match */
			uint32_t interval;          /* s */
			bool was_over;
		};
	};
};

struct hashlimit_table {
	struct named named;
	struct hashlimit_cfg3 cfg; /* avg, burst, mode, max, gc_interval, expire, interval, masks */
	uint64_t born, swept;      /* ns; born 0: no packet yet */
	uint32_t seed, n, n_buckets;
	struct hashlimit_entry *buckets[];
};

struct hashlimit {
	struct hashlimit_table *table;
	uint32_t mode;
	uint8_t revision;
};

static uint64_t
hashlimit_credits(uint64_t user, uint8_t revision)
{
	return revision == 1 ? user * (CREDITS_V1 / XT_HASHLIMIT_SCALE) :
			       user * (CREDITS / XT_HASHLIMIT_SCALE_v2);
}

static uint32_t
hashlimit_byte_credits(uint32_t user)
{
	return (uint32_t)(user * CREDITS_BYTES >> 32);
}

static uint64_t
hashlimit_byte_rate(uint32_t user)
{
	uint64_t r = user ? UINT32_MAX / user : UINT32_MAX;

	return (r - 1) << XT_HASHLIMIT_BYTE_SHIFT;
}

static void
hashlimit_table_free(struct named *n)
{
	struct hashlimit_table *t = (struct hashlimit_table *)n;
	struct hashlimit_entry *e, *next;

	for (uint32_t i = 0; i < t->n_buckets; i++)
		for (e = t->buckets[i]; e; e = next) {
			next = e->next;
			free(e);
		}
	free(t);
}

static struct hashlimit_table *
hashlimit_table_get(struct filters_live *live, const char *name, const struct hashlimit_cfg3 *cfg)
{
	struct hashlimit_table *t;
	uint32_t size = cfg->size ? cfg->size : HASHLIMIT_SIZE;

	t = (struct hashlimit_table *)named_get(live->named, NAMED_HASHLIMIT, name);
	if (t)
		return t;
	if (size > HASHLIMIT_SIZE_MAX)
		size = HASHLIMIT_SIZE_MAX;
	t = calloc(1, sizeof(*t) + size * sizeof(t->buckets[0]));
	if (!t)
		return NULL;
	t->named.kind = NAMED_HASHLIMIT;
	t->named.free = hashlimit_table_free;
	strncpy(t->named.name, name, sizeof(t->named.name) - 1);
	t->cfg = *cfg;
	t->n_buckets = size;
	if (t->cfg.max == 0)
		t->cfg.max = HASHLIMIT_PER_BUCKET * size;
	else if (t->cfg.max < size)
		t->cfg.max = size;
	if (t->cfg.max > HASHLIMIT_SIZE_MAX)
		t->cfg.max = HASHLIMIT_SIZE_MAX;
	named_add(live->named, &t->named);
	return t;
}

static int
hashlimit_check_rate(
	const struct ext_check *c, const struct hashlimit_cfg3 *cfg, uint8_t revision)
{
	unsigned long long avg = cfg->avg, burst = cfg->burst;

	if (cfg->mode & XT_HASHLIMIT_RATE_MATCH) {
		if (avg == 0 || avg > UINT32_MAX)
			return ext_refuse(c, "invalid rate %llu", avg);
		if (cfg->interval == 0)
			return ext_refuse(c, "invalid rate interval 0");
	} else if (cfg->mode & XT_HASHLIMIT_BYTES) {
		if (hashlimit_byte_credits((uint32_t)avg) == 0)
			return ext_refuse(c, "overflow, rate too high: %llu", avg);
	} else if (burst == 0 ||
		hashlimit_credits(avg * burst, revision) < hashlimit_credits(avg, revision)) {
		return ext_refuse(c, "overflow, try lower: %llu/%llu", avg, burst);
	}
	return 0;
}

static int
hashlimit_prepare(const struct ext_check *c, const char *name, size_t name_size,
	const struct hashlimit_cfg3 *cfg, uint8_t revision, void **prepared)
{
	uint32_t modes = revision >= 3 ? MODES | XT_HASHLIMIT_RATE_MATCH : MODES;
	struct hashlimit *h;
	int err;

	if (cfg->gc_interval == 0 || cfg->expire == 0)
		return ext_refuse(c, "interval of garbage collection or time of expiry is 0");
	if (name[0] == '\0' || !memchr(name, '\0', name_size))
		return ext_refuse(c, "the name is empty or too long");
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return ext_refuse(c, "the name '%s' is no name of a file", name); /* the kernel shows it in /proc */
	if (cfg->srcmask > 32 || cfg->dstmask > 32)
		return ext_refuse(c, "a mask is longer than 32");
	if (cfg->mode & ~modes)
		return ext_refuse(c, "unknown mode mask %X", cfg->mode);
	err = hashlimit_check_rate(c, cfg, revision);
	if (err)
		return err;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->mode = cfg->mode;
	h->revision = revision;
	h->table = hashlimit_table_get(c->live, name, cfg);
	if (!h->table) {
		free(h);
		return -ENOMEM;
	}
	*prepared = h;
	return 0;
}

#define HASHLIMIT_WIDEN(old) \
	{ \
		.avg = (old)->avg, .burst = (old)->burst, .mode = (old)->mode, .size = (old)->size, \
		.max = (old)->max, .gc_interval = (old)->gc_interval, .expire = (old)->expire, \
		.srcmask = (old)->srcmask, .dstmask = (old)->dstmask, \
	}

static int
hashlimit_check_v1(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_hashlimit_mtinfo1 *o = options;
	struct hashlimit_cfg3 cfg = HASHLIMIT_WIDEN(&o->cfg);

	return hashlimit_prepare(c, o->name, sizeof(o->name), &cfg, 1, prepared);
}

static int
hashlimit_check_v2(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_hashlimit_mtinfo2 *o = options;
	struct hashlimit_cfg3 cfg = HASHLIMIT_WIDEN(&o->cfg);

	return hashlimit_prepare(c, o->name, sizeof(o->name), &cfg, 2, prepared);
}

static int
hashlimit_check_v3(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_hashlimit_mtinfo3 *o = options;

	return hashlimit_prepare(c, o->name, sizeof(o->name), &o->cfg, 3, prepared);
}

static void
hashlimit_release(void *prepared)
{
	struct hashlimit *h = prepared;

	named_put(&h->table->named);
	free(h);
}

/* Where a protocol has its two ports (or what the kernel takes for them), from its header; -1: nowhere. */
static int
hashlimit_ports_offset(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_DCCP:
	case IPPROTO_ESP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
		return 0;
	case IPPROTO_AH:
		return 4;
	default:
		return -1;
	}
}

/* => false: the ports are cut off. Like the kernel this reads them in later fragments too. */
static bool
hashlimit_key_of(const struct filter_ctx *c, const struct hashlimit_cfg3 *cfg, struct hashlimit_key *k)
{
	const struct iphdr *ip = pkt_ip4(c->p);
	int at = hashlimit_ports_offset(ip->protocol);
	const uint16_t *ports;
	uint16_t buf[2];

	*k = (struct hashlimit_key){0};
	if (cfg->mode & XT_HASHLIMIT_HASH_DIP)
		k->dst = ip->daddr & ip4_mask(cfg->dstmask);
	if (cfg->mode & XT_HASHLIMIT_HASH_SIP)
		k->src = ip->saddr & ip4_mask(cfg->srcmask);
	if (!(cfg->mode & (XT_HASHLIMIT_HASH_DPT | XT_HASHLIMIT_HASH_SPT)) || at < 0)
		return true;
	ports = filter_bytes(c, ip->ihl * 4u + (uint32_t)at, sizeof(buf), buf);
	if (!ports)
		return false;
	if (cfg->mode & XT_HASHLIMIT_HASH_SPT)
		memcpy(&k->sport, &ports[0], sizeof(k->sport));
	if (cfg->mode & XT_HASHLIMIT_HASH_DPT)
		memcpy(&k->dport, &ports[1], sizeof(k->dport));
	return true;
}

/* When the kernel's sweep was last due. */
static uint64_t
hashlimit_last_sweep(const struct hashlimit_table *t, uint64_t now)
{
	uint64_t interval = t->cfg.gc_interval * MS;

	return t->born + (now - t->born) / interval * interval;
}

static void
hashlimit_sweep_bucket(struct hashlimit_table *t, uint32_t i, uint64_t due)
{
	struct hashlimit_entry **at = &t->buckets[i], *e;

	while ((e = *at)) {
		if (e->expires > due) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		free(e);
		t->n--;
	}
}

static void
hashlimit_sweep(struct hashlimit_table *t, uint64_t due)
{
	if (t->swept == due)
		return;
	t->swept = due;
	for (uint32_t i = 0; i < t->n_buckets; i++)
		hashlimit_sweep_bucket(t, i, due);
}

static void
hashlimit_entry_init(struct hashlimit_entry *e, const struct hashlimit_cfg3 *cfg, uint8_t revision)
{
	if (revision >= 3 && cfg->mode & XT_HASHLIMIT_RATE_MATCH) {
		e->interval = cfg->interval;
		if (cfg->mode & XT_HASHLIMIT_BYTES) {
			e->rate = hashlimit_byte_rate((uint32_t)cfg->avg);
			e->burst = cfg->burst ? cfg->burst * e->rate : e->rate;
		} else {
			e->rate = XT_HASHLIMIT_SCALE_v2 / cfg->avg;
			e->burst = cfg->burst + e->rate;
		}
	} else if (cfg->mode & XT_HASHLIMIT_BYTES) {
		e->credit = CREDITS_BYTES;
		e->cost = hashlimit_byte_credits((uint32_t)cfg->avg);
		e->cap = cfg->burst;
	} else {
		e->credit = e->cap = hashlimit_credits(cfg->avg * cfg->burst, revision);
		e->cost = hashlimit_credits(cfg->avg, revision);
	}
}

/* => NULL: the table is full, or no memory. */
static struct hashlimit_entry *
hashlimit_add(struct hashlimit_table *t, uint32_t bucket, const struct hashlimit_key *k,
	uint64_t now, uint8_t revision)
{
	struct hashlimit_entry *e;

	if (t->n >= t->cfg.max)
		hashlimit_sweep(t, hashlimit_last_sweep(t, now));
	if (t->n >= t->cfg.max)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key = *k;
	e->since = now;
	hashlimit_entry_init(e, &t->cfg, revision);
	e->next = t->buckets[bucket];
	t->buckets[bucket] = e;
	t->n++;
	return e;
}

static void
hashlimit_window(struct hashlimit_entry *e, uint64_t now)
{
	uint64_t interval = e->interval * SECOND, past = now - e->since;

	if (past < interval)
		return;
	e->since = now;
	e->was_over = (unsigned __int128)e->seen * interval > (unsigned __int128)past * e->rate;
	e->seen = 0;
}

static void
hashlimit_refill(struct hashlimit_entry *e, uint32_t mode, uint8_t revision, uint64_t now)
{
	uint64_t rate = mode & XT_HASHLIMIT_BYTES ? CREDITS_BYTES :
		revision == 1			  ? CREDITS_V1 :
						    CREDITS;
	uint64_t cap = mode & XT_HASHLIMIT_BYTES ? CREDITS_BYTES : e->cap;
	unsigned __int128 gain = (unsigned __int128)(now - e->since) * rate;

	e->since = now - (uint64_t)(gain % SECOND) / rate; /* part of a credit is not lost */
	gain /= SECOND;
	e->credit = gain >= cap || e->credit + gain > cap ? cap : e->credit + (uint64_t)gain;
}

static struct hashlimit_entry *
hashlimit_find(const struct hashlimit *h, const struct hashlimit_key *k, struct env *env)
{
	struct hashlimit_table *t = h->table;
	struct hashlimit_entry *e;
	uint32_t bucket;

	if (t->born == 0) {
		t->born = t->swept = env->now;
		t->seed = env_random(env);
	}
	bucket = (uint32_t)((uint64_t)rte_jhash_32b((const uint32_t *)k, sizeof(*k) / 4, t->seed) *
		t->n_buckets >> 32);
	hashlimit_sweep_bucket(t, bucket, hashlimit_last_sweep(t, env->now));
	for (e = t->buckets[bucket]; e; e = e->next)
		if (memcmp(&e->key, k, sizeof(*k)) == 0)
			break;
	if (!e)
		e = hashlimit_add(t, bucket, k, env->now, h->revision);
	else if (h->revision >= 3 && t->cfg.mode & XT_HASHLIMIT_RATE_MATCH)
		hashlimit_window(e, env->now);
	else
		hashlimit_refill(e, t->cfg.mode, h->revision, env->now);
	if (e)
		e->expires = env->now + t->cfg.expire * MS;
	return e;
}

static uint64_t
hashlimit_byte_cost(struct hashlimit_entry *e, uint32_t len)
{
	uint64_t cost = ((uint64_t)(len >> XT_HASHLIMIT_BYTE_SHIFT) + 1) * e->cost;

	if (cost > CREDITS_BYTES)
		cost = CREDITS_BYTES;
	if (e->credit < cost && e->cap) {
		e->cap--;
		e->credit = CREDITS_BYTES;
	}
	return cost;
}

static bool
hashlimit_below(const struct hashlimit *h, struct hashlimit_entry *e, uint32_t len)
{
	uint64_t cost;

	if (h->mode & XT_HASHLIMIT_RATE_MATCH) {
		e->seen += h->mode & XT_HASHLIMIT_BYTES ? len : 1;
		return !e->was_over && e->seen <= e->burst;
	}
	cost = h->mode & XT_HASHLIMIT_BYTES ? hashlimit_byte_cost(e, len) : e->cost;
	if (e->credit < cost)
		return false;
	e->credit -= cost;
	return true;
}

static bool
hashlimit_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct hashlimit *h = options;
	struct hashlimit_entry *e = NULL;
	struct hashlimit_key k;

	(void)state;
	if (hashlimit_key_of(c, &h->table->cfg, &k))
		e = hashlimit_find(h, &k, c->env);
	if (!e) {
		c->malformed = true;
		return false;
	}
	return hashlimit_below(h, e, pkt_len(c->p)) != !!(h->mode & XT_HASHLIMIT_INVERT);
}

#define HASHLIMIT(number) \
	{ \
		.name = "hashlimit", .revision = number, \
		.size = XT_ALIGN(sizeof(struct xt_hashlimit_mtinfo##number)), .reads = READS_NEVER, \
		.check = hashlimit_check_v##number, .release = hashlimit_release, \
		.match = hashlimit_match, \
	}

const struct match_ops match_hashlimit[] = {HASHLIMIT(1), HASHLIMIT(2), HASHLIMIT(3), {0}};
