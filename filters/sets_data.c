/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/sets_data.h"

#include "filters/sets_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	REGION_SIZE = 24,  /* of struct ip_set_region */
	MAP_SIZE = 72,     /* of struct bitmap_port */
	COMMENT_SIZE = 16, /* of struct ip_set_comment_rcu */
};

static const struct set_kind kinds[SET_TYPES] = {
	[SET_HASH_IP] = {"hash:ip", "iphash", 1, 6, 4, 216, false},
	[SET_HASH_NET] = {"hash:net", "nethash", 1, 7, 8, 456, true},
	[SET_HASH_IP_PORT] = {"hash:ip,port", "ipporthash", 2, 7, 8, 216, false},
	[SET_HASH_NET_IFACE] = {"hash:net,iface", "netifacehash", 2, 8, 28, 488, true},
	[SET_BITMAP_PORT] = {"bitmap:port", "portmap", 1, 3, 0, MAP_SIZE, false},
};

const struct set_kind *
set_kind(enum set_type t)
{
	return &kinds[t];
}

/* Smallest power of two that holds `hashsize` buckets. */
static uint8_t
params_bits(const struct set_params *p)
{
	uint8_t bits = 0;

	while (bits < 32 && 1ull << bits < p->hashsize)
		bits++;
	return bits;
}

struct set_data *
set_data_new(const struct set_params *p)
{
	struct set_data *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->params = *p;
	if (p->type == SET_BITMAP_PORT) {
		if (set_map_new(&d->map, p) == 0)
			return d;
	} else if (params_bits(p) <= SET_BITS_MAX) {
		d->table = set_table_new(params_bits(p));
		if (d->table)
			return d;
	}
	free(d);
	return NULL;
}

void
set_data_free(struct set_data *d)
{
	if (d->table)
		set_table_free(d->table, true);
	else
		set_map_free(&d->map, &d->params);
	free(d);
}

bool
set_params_same(const struct set_params *a, const struct set_params *b)
{
	if (a->type != b->type || a->timeout != b->timeout || a->counters != b->counters ||
		a->comment != b->comment)
		return false;
	if (a->type == SET_BITMAP_PORT)
		return a->first == b->first && a->last == b->last;
	return a->maxelem == b->maxelem && a->mask == b->mask;
}

void
set_nets_count(struct set_data *d, uint8_t cidr, int by)
{
	if (!kinds[d->params.type].nets)
		return;
	d->nets[cidr] += (uint32_t)by;
	if (d->nets[cidr])
		d->lengths |= 1ull << cidr;
	else
		d->lengths &= ~(1ull << cidr);
}

uint8_t
set_data_longest(const struct set_data *d)
{
	return d->lengths ? (uint8_t)(63 - __builtin_clzll(d->lengths)) : 32;
}

int
set_data_add(struct set_data *d, const struct set_elem *e, const struct set_ext *x, bool exist,
	uint64_t now, struct sets_log *log)
{
	int err = d->params.type == SET_BITMAP_PORT ?
		set_map_add(d, e->port, x, exist, now, log) :
		set_hash_add(d, e, x, exist, now, log);

	d->dirty |= err == 0;
	return err;
}

int
set_data_del(struct set_data *d, const struct set_elem *e, uint64_t now, struct sets_log *log)
{
	int err = d->params.type == SET_BITMAP_PORT ? set_map_del(d, e->port, now, log) :
						      set_hash_del(d, e, now, log);

	d->dirty |= err == 0;
	return err;
}

int
set_data_test(struct set_data *d, const struct set_elem *e, const struct set_query *q)
{
	return d->params.type == SET_BITMAP_PORT ? set_map_test(d, e->port, q) :
						   set_hash_test(d, e, q);
}

int
set_data_flush(struct set_data *d, struct sets_log *log)
{
	struct set_data *empty = set_data_new(&d->params);

	if (!empty)
		return -ENOMEM;
	if (d->table && empty->table->bits != d->table->bits) { /* a flush keeps the size it has grown to */
		set_table_free(empty->table, true);
		empty->table = set_table_new(d->table->bits);
	}
	if ((d->table && !empty->table) || !sets_log_flush(log, d)) {
		if (!d->table || empty->table)
			set_data_free(empty);
		else
			free(empty);
		return -ENOMEM;
	}
	empty->dirty = true;
	*d = *empty;
	free(empty);
	return 0;
}

void
set_data_walk(const struct set_data *d, uint64_t now, set_visit visit, void *arg)
{
	if (d->params.type == SET_BITMAP_PORT)
		set_map_walk(d, now, visit, arg);
	else
		set_hash_walk(d, now, visit, arg);
}

uint64_t
set_comment_size(const char *comment)
{
	return comment ? COMMENT_SIZE + strlen(comment) + 1 : 0;
}

uint64_t
set_data_memory(const struct set_data *d)
{
	const struct set_params *p = &d->params;
	uint64_t size = kinds[p->type].header_size + d->comments, n = p->last - p->first + 1u;

	if (p->type != SET_BITMAP_PORT)
		return size + (set_table_regions(d->table->bits) - 1) * REGION_SIZE + d->table->memory;
	size += (n + 63) / 64 * 8;
	return size + n * ((p->counters ? 16u : 0) + (p->comment ? 8u : 0) +
		(p->timeout != SET_NO_TIMEOUT ? 8u : 0));
}

static bool
counter_is(uint64_t counter, uint8_t op, uint64_t value)
{
	switch (op) {
	case IPSET_COUNTER_NONE:
		return true;
	case IPSET_COUNTER_EQ:
		return counter == value;
	case IPSET_COUNTER_NE:
		return counter != value;
	case IPSET_COUNTER_LT:
		return counter < value;
	case IPSET_COUNTER_GT:
		return counter > value;
	default:
		return false;
	}
}

bool
set_ext_matches(const struct set_data *d, struct set_ext *x, const struct set_query *q)
{
	if (set_expired(d, x, q->now))
		return false;
	if (!d->params.counters)
		return true;
	if (q->counted) {
		x->packets++;
		x->bytes += q->bytes;
	}
	return !q->compare ||
		(counter_is(x->packets, q->packets_op, q->packets_value) &&
			counter_is(x->bytes, q->bytes_op, q->bytes_value));
}
