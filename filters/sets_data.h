/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one set holds, behind sets.h: a hash of elements or a bitmap of ports, each element with its
 * extensions, and the log by which a run of commands is undone.
 *
 * The hash is laid out as the kernel's (net/netfilter/ipset/ip_set_hash_gen.h): buckets are arrays that grow
 * by two slots up to `bucketsize`, then the table doubles; the hash function, the value it starts from and
 * the order of slots are the same. So a listing has the kernel's order and its "Size in memory".
 */
#ifndef FILTERS_SETS_DATA_H
#define FILTERS_SETS_DATA_H

#include <linux/netfilter/ipset/ip_set.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum set_type {
	SET_HASH_IP,
	SET_HASH_NET,
	SET_HASH_IP_PORT,
	SET_HASH_NET_IFACE,
	SET_BITMAP_PORT,
	SET_TYPES,
};

enum {
	SET_BITS_MAX = 22,        /* of a table: 4 million buckets */
	SET_RANGE_MAX = 1 << 20,  /* elements that one command may touch */
	SET_TIMEOUT_MAX = 2147483,/* s */
	SET_COMMENT_MAX = 255,
	SET_NAME = IPSET_MAXNAMELEN,
	SET_NO_TIMEOUT = -1,
};

struct set_kind {
	const char *name, *old_name;
	uint8_t dims;
	uint8_t revision;    /* that of ipset 7.17 with Linux 6.18 */
	uint8_t elem_size;   /* of an element in the kernel, for "Size in memory" */
	uint16_t header_size;/* of an empty set in the kernel; the same */
	bool nets;           /* elements have a prefix length and nomatch */
};

const struct set_kind *set_kind(enum set_type t);

/* Unused fields are zero. */
struct set_elem {
	uint32_t ip;       /* network byte order, without host bits */
	uint16_t port;     /* host byte order; ICMP: type << 8 | code */
	uint8_t proto;
	uint8_t cidr;
	char iface[IFNAMSIZ];
	bool wildcard;     /* iface is a prefix */
	bool nomatch;
};

struct set_ext {
	uint64_t packets, bytes;
	uint64_t expires; /* ns; 0: never */
	char *comment;    /* of the slot; NULL: none */
};

struct set_slot {
	struct set_elem e;
	struct set_ext x;
};

/* What `create` says. Compared by set_params_same(). */
struct set_params {
	enum set_type type;
	uint32_t hashsize, maxelem, initval;
	uint8_t bucketsize, netmask; /* netmask 32: none */
	bool has_bitmask;
	bool counters, comment, forceadd;
	int32_t timeout;        /* s; SET_NO_TIMEOUT */
	uint32_t mask;          /* of netmask or bitmask; network byte order */
	uint16_t first, last;   /* ports */
};

struct set_bucket {
	uint64_t used;     /* bit per slot */
	uint8_t size, pos; /* slots; first that was never used */
	struct set_slot slots[];
};

/* A thousand buckets: each has its share of maxelem, as in the kernel. */
struct set_region {
	uint32_t n;
	uint64_t soonest; /* nothing in it expires before; UINT64_MAX: nothing does */
};

struct set_table {
	uint8_t bits;
	uint32_t n;      /* elements, with the expired that nobody came across yet */
	uint64_t memory; /* of buckets, as the kernel counts */
	struct set_region *regions;
	struct set_bucket *buckets[];
};

struct set_map {
	uint64_t *used;
	struct set_ext *ext; /* NULL: the set has no extensions */
};

struct set_data {
	struct set_params params;
	struct set_table *table; /* hash */
	struct set_map map;      /* bitmap */
	uint64_t comments;       /* memory, as the kernel counts */
	uint32_t nets[33];       /* elements of each prefix length */
	uint64_t lengths;        /* bit per prefix length that is there */
	bool dirty;              /* changed in this run */
};

/* Beside -ENOMEM: what a command ends with; each has ipset's words. */
enum set_error {
	SET_OK,
	SET_ERR_EXIST, /* add: it is there; del: it is not */
	SET_ERR_FULL,
	SET_ERR_RESIZE,/* inside only */
	SET_ERR_NULL,
	SET_ERR_CIDR,
	SET_ERR_WHOLE,
	SET_ERR_OUTSIDE,
	SET_ERR_RANGE,
	SET_ERR_INVALID,
	SET_ERR_PROTO,
};

/* What a test does beside finding: `counted` packets of `bytes` are added to the element that matches. */
struct set_query {
	uint64_t now;
	bool counted;
	uint32_t bytes;
	bool compare; /* the counters too; ops of IPSET_COUNTER_* */
	uint8_t packets_op, bytes_op;
	uint64_t packets_value, bytes_value;
};

struct sets_log;

/* => NULL with ENOMEM. */
struct set_data *set_data_new(const struct set_params *p);
void set_data_free(struct set_data *d);
bool set_params_same(const struct set_params *a, const struct set_params *b);
/*
 * `x` with a comment that is copied. `exist`: an element that is there gets the new extensions. A table only
 * grows with a log: a packet's add that has no room fails. => enum set_error or -ENOMEM.
 */
int set_data_add(struct set_data *d, const struct set_elem *e, const struct set_ext *x, bool exist,
	uint64_t now, struct sets_log *log);
int set_data_del(struct set_data *d, const struct set_elem *e, uint64_t now, struct sets_log *log);
/* => 1, 0, or -1: a nomatch element. */
int set_data_test(struct set_data *d, const struct set_elem *e, const struct set_query *q);
int set_data_flush(struct set_data *d, struct sets_log *log);
/* Longest prefix length in the set; 32: it has none. */
uint8_t set_data_longest(const struct set_data *d);

/* Visits what is not expired, in the kernel's order. */
typedef void (*set_visit)(void *arg, const struct set_elem *e, const struct set_ext *x);
void set_data_walk(const struct set_data *d, uint64_t now, set_visit visit, void *arg);
/* "Size in memory". */
uint64_t set_data_memory(const struct set_data *d);

static inline bool
set_expired(const struct set_data *d, const struct set_ext *x, uint64_t now)
{
	return d->params.timeout != SET_NO_TIMEOUT && x->expires != 0 && x->expires < now;
}

/* Counters and expiry. => false: as if it were not there. */
bool set_ext_matches(const struct set_data *d, struct set_ext *x, const struct set_query *q);
/* Bytes that the kernel has for a comment. */
uint64_t set_comment_size(const char *comment);
void set_nets_count(struct set_data *d, uint8_t cidr, int by);

/* The hash and the bitmap, as set_data_*(). */
struct set_table *set_table_new(uint8_t bits);
void set_table_free(struct set_table *t, bool comments);
int set_hash_add(struct set_data *d, const struct set_elem *e, const struct set_ext *x, bool exist,
	uint64_t now, struct sets_log *log);
int set_hash_del(struct set_data *d, const struct set_elem *e, uint64_t now, struct sets_log *log);
int set_hash_test(struct set_data *d, const struct set_elem *e, const struct set_query *q);
void set_hash_walk(const struct set_data *d, uint64_t now, set_visit visit, void *arg);
uint32_t set_table_regions(uint8_t bits);
struct set_region *set_table_region(struct set_table *t, uint32_t key);

int set_map_new(struct set_map *m, const struct set_params *p);
void set_map_free(struct set_map *m, const struct set_params *p);
int set_map_add(struct set_data *d, uint16_t port, const struct set_ext *x, bool exist, uint64_t now,
	struct sets_log *log);
int set_map_del(struct set_data *d, uint16_t port, uint64_t now, struct sets_log *log);
int set_map_test(struct set_data *d, uint16_t port, const struct set_query *q);
void set_map_walk(const struct set_data *d, uint64_t now, set_visit visit, void *arg);

static inline bool
set_map_has(const struct set_map *m, uint32_t id)
{
	return m->used[id / 64] >> id % 64 & 1;
}

#endif
