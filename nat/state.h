/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to nat/: what is kept beside the connections of one router. */
#ifndef NAT_STATE_H
#define NAT_STATE_H

#include "nat/balance_live.h"
#include "nat/nat.h"

/* Connections by the source that they began with: linear hashing as in the table itself, chained
 * through the records. */
struct sources {
	uint32_t *buckets;
	uint32_t n, mask, capacity;
	uint32_t linked;
};

/* One bit for each port or id of an outside address towards one destination. */
struct port_map {
	struct ct_tuple key; /* as the packets that leave, without source port */
	uint32_t hash;
	uint16_t zone;
	uint8_t zone_dir;
	uint64_t asked; /* when it was needed last, by struct port_maps' clock */
	uint64_t busy[65536 / 64];
};

struct port_maps {
	struct port_map **at;
	uint32_t n;
	uint64_t clock;
};

/* What one address has of mappings (gauges.c). */
struct gauge {
	enum nat_side side;
	uint32_t address; /* network byte order */
	uint8_t proto;    /* NAT_OUTSIDE */
	uint32_t next;    /* of the chain, or of the vacant ones */
	uint32_t mappings;
	uint32_t most; /* NAT_OUTSIDE: ports of the largest range that it was given in */
	uint64_t refused;
	uint64_t seen_at; /* ns: when `seen` mappings were counted */
	uint32_t seen;
	double growth; /* mappings a second */
};

struct gauges {
	struct gauge *at;  /* [0] is not used */
	uint32_t *buckets; /* NULL until the first */
	uint32_t used, size, vacant;
	uint32_t last_outside, last_guest;
};

/* A connection that was refused, for the log. */
struct nat_refusal {
	uint32_t outside, guest, destination; /* network byte order */
	uint8_t proto;
	uint64_t n; /* since the log was told */
};

struct nat {
	struct conntrack_nat base; /* first */
	struct sources sources;
	struct port_maps maps;
	struct gauges gauges;
	struct balance_lives balance;
	uint64_t exhausted;               /* connections refused: no port */
	struct nat_refusal refused;       /* the last one, for the log */
	uint64_t warned;                  /* ns; 0: never */
	uint32_t translated, masqueraded; /* connections */
	/* the sweep for stale ones */
	uint32_t seen;   /* version of the router's configuration that the last one was begun for */
	uint32_t cursor; /* 0: none goes on */
};

static inline struct nat *
nat_of(const struct conntrack *ct)
{
	return (struct nat *)conntrack_nat(ct);
}

/* What of a connection is being bound to what. */
struct nat_choice {
	struct env *env;
	struct conntrack *ct;
	struct nat *nat;
	struct conn *c;
	const struct nat_range *range;
	enum nat_manip manip;
	struct ct_tuple now; /* its packets as they would leave if nothing were changed */
};

/* ---- choose.c ---- */

/* As get_unique_tuple(). => false: *to is not free, and the packet cannot pass. */
bool nat_choose(const struct nat_choice *k, struct ct_tuple *to);
bool nat_in_range(const struct ct_tuple *t, const struct nat_range *range);
/* Another connection gets the answers to packets with this tuple. */
bool nat_is_taken(const struct nat_choice *k, const struct ct_tuple *t);
/* The protocol has ports, or ids, that can be moved. */
bool nat_has_ports(uint8_t proto);

/* How many ports, or ids, the rule has for a mapping like this one. */
uint32_t nat_ports_of_range(const struct nat_choice *k, const struct ct_tuple *t);

/* ---- gauges.c ---- */

void gauges_fini(struct gauges *g);
/* The connection that is being bound leaves as `to`: sets its `outside` and `guest`. */
void gauges_add(const struct nat_choice *k, const struct ct_tuple *to);
void gauges_remove(struct gauges *g, const struct conntrack *ct, const struct conn *c);
/* => false, and it is counted: the guest has `quota` mappings (0: as many as it likes). */
bool gauges_within_quota(const struct nat_choice *k, uint32_t quota);
/* No port was free for `wanted`. */
void gauges_refused(const struct nat_choice *k, const struct ct_tuple *wanted);

/* ---- sources.c ---- */

int sources_init(struct sources *s); /* 0 or -ENOMEM */
void sources_fini(struct sources *s);
/* To be called before the others, better long before: sets c->source_hash, fetches its chain. */
void sources_hash(const struct sources *s, const struct conntrack *ct, struct conn *c);
void sources_add(struct sources *s, const struct conntrack *ct, struct conn *c);
void sources_remove(struct sources *s, const struct conntrack *ct, struct conn *c);
/* A mapping of the same source within the range, as find_appropriate_src(). => false: none. */
bool sources_find(const struct sources *s, const struct nat_choice *k, struct ct_tuple *to);

/* ---- ports.c ---- */

/* Sets the source port (or id) of *t to a free one of `size` from `min` on, wherever it is. =>
 * false: there is none. */
bool ports_find(const struct nat_choice *k, struct ct_tuple *t, uint32_t min, uint32_t size);
/* The connection's tuples are free again. */
void ports_release(struct port_maps *maps, const struct conntrack *ct, const struct conn *c);
void ports_fini(struct port_maps *maps);

/* ---- rewrite.c ---- */

/* Gives the packet's source or destination the address and port of `to`. => false: a header is cut
 * short. */
bool nat_rewrite(struct pkt *p, const struct ct_tuple *to, enum nat_manip manip);
/* Only the address, and no checksum but that of IP. */
void nat_rewrite_address(struct pkt *p, uint32_t address, enum nat_manip manip);
/* The same as nat_rewrite() for what an ICMP error quotes; its own checksum follows. */
bool nat_rewrite_quote(struct pkt *p, const struct ct_tuple *to, enum nat_manip manip);

#endif
