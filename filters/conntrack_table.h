/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to conntrack*.c: the table, its hash, its wheel, and what one packet carries through the
 * trackers. */
#ifndef FILTERS_CONNTRACK_TABLE_H
#define FILTERS_CONNTRACK_TABLE_H

#include "filters/conntrack.h"
#include "filters/live.h"

#include <sys/queue.h>

enum {
	WHEEL_LEVELS = 5,
	WHEEL_SLOTS = 64,
	WHEEL_TICK_SHIFT = 30, /* ns: a tick is 1.07 s */
	EXPECT_BUCKETS = 1024,
	RECENT_MANAGED = 64,
};

static const uint64_t CT_SECOND = 1000000000;

/* Ticks are counted from 0 ns of CLOCK_MONOTONIC. */
struct wheel {
	uint64_t base; /* no slot lies before it */
	uint64_t next; /* tick the timer is armed for, not after the first used slot; UINT64_MAX:
			  none */
	uint64_t used[WHEEL_LEVELS]; /* bit per slot that holds connections */
	uint32_t head[WHEEL_LEVELS][WHEEL_SLOTS];
	struct timer timer;
};

struct expectation {
	LIST_ENTRY(expectation) link;    /* of its bucket */
	LIST_ENTRY(expectation) sibling; /* of its master, the youngest first */
	struct conntrack *table;
	struct timer timer;
	struct ct_expected what;
	uint32_t master;
	uint16_t zone;
};

LIST_HEAD(expectations, expectation);

/* What a connection has that was given a helper, or expects another. */
struct conn_help {
	struct expectations expecting;
	struct seq_adjust {
		uint32_t at;           /* what comes behind this number is moved by `after` */
		int32_t before, after; /* bytes */
	} adjust[2];                   /* enum ct_dir */
	_Alignas(8) uint8_t memory[64]; /* of its helper, zeroed */
};

/* A tuple that was looked up and not found. */
struct ct_absent {
	struct ct_tuple tuple;
	uint32_t hash;
	uint16_t zone;
};

enum { ABSENT_MAX = 4 };

struct conntrack {
	struct router_live *live;
	uint64_t key[2];

	/* the array; [0] is not used. Its place is reserved for the largest table there may be, so
	 * records never move */
	struct conn *conns;
	uint32_t capacity; /* records that may be touched */
	uint32_t used;     /* records that ever were, from 1 */
	uint32_t vacant;   /* list of free records below that, by next[0] */
	uint32_t count;    /* connections, unconfirmed ones and those that only packets still hold
			      included */
	uint32_t next_id;

	/* linear hashing: grows by a bucket at a time, in place */
	uint32_t *buckets;
	uint32_t n_buckets, bucket_capacity, bucket_mask;
	uint32_t linked; /* connections in it */
	/* The last lookups in vain since a connection entered: what they say still holds when the
	 * first packet has come through and its connection enters, mostly. */
	struct ct_absent absent[ABSENT_MAX];
	uint32_t n_absent;

	struct wheel wheel;
	bool pressed; /* a connection was refused: closing ones are to go before their time */
	uint32_t press_cursor;
	uint64_t warned; /* when the log was told last that the table is full; 0: never */

	uint32_t *per_iface; /* connections by the slot that their first packet came in by */
	uint32_t n_iface;
	struct ip_prefix *managed;
	size_t n_managed;
	struct {
		uint32_t index, id;
	} recent_managed[RECENT_MANAGED];
	uint32_t recent_next;

	struct expectations *expect; /* EXPECT_BUCKETS of them; NULL until the first */
	uint32_t n_expect;
	uint32_t n_help; /* connections with a struct conn_help */

	struct conntrack_nat *nat;
	struct conntrack_paths *paths; /* NULL: nobody keeps any */
	conntrack_listener listener;
	void *listener_arg;
	conntrack_expect_listener expect_listener;
	void *expect_listener_arg;
	struct conntrack_stats stats;
};

/* A packet on its way through the tracker. */
struct ct_packet {
	struct env *env;
	const struct router *r;
	struct conntrack *ct;
	struct pkt *p;
	struct conn *c;
	uint8_t hook;
	uint8_t info;   /* enum ct_info */
	uint8_t events; /* CT_CHANGED: a listener is to hear of it */
};

/* What a protocol says of a packet, as the kernel's return values. */
enum ct_answer {
	CT_PASS,    /* NF_ACCEPT */
	CT_INVALID, /* -NF_ACCEPT: without a connection */
	CT_AGAIN,   /* -NF_REPEAT: its connection was ended, look it up again */
};

struct ct_protocol {
	enum ct_answer (*packet)(struct ct_packet *k);
	/* Layer 4's part of the tuple; addresses and proto are set. => false: it has none. `at`
	 * counts from the data. */
	bool (*tuple)(const struct rte_mbuf *m, uint32_t at, struct ct_tuple *t);
	bool (*closing)(
		const struct conn *c); /* may go before its time although assured; NULL: never */
	bool clash;                    /* as allow_clash */
};

const struct ct_protocol *ct_protocol_of(uint8_t proto);
enum ct_answer ct_tcp_packet(struct ct_packet *k);
bool ct_tcp_closing(const struct conn *c);
enum ct_answer ct_udp_packet(struct ct_packet *k);
enum ct_answer ct_udplite_packet(struct ct_packet *k);
enum ct_answer ct_icmp_packet(struct ct_packet *k);
enum ct_answer ct_sctp_packet(struct ct_packet *k);
bool ct_sctp_closing(const struct conn *c);
const char *ct_sctp_state_name(const struct conn *c);
enum ct_answer ct_gre_packet(struct ct_packet *k);
bool ct_gre_tuple(const struct rte_mbuf *m, uint32_t at, struct ct_tuple *t);
bool ct_icmp_tuple(const struct rte_mbuf *m, uint32_t at, struct ct_tuple *t);
/* RELATED, or why not. => CT_PASS with k->c set: an error about it; CT_PASS with NULL: no error;
 * CT_INVALID. */
enum ct_answer ct_icmp_error(struct ct_packet *k);

/* The tuple of the packet whose IPv4 header begins at `at`, counted from the data. => false: none
 * to be had. */
bool ct_tuple_at(const struct rte_mbuf *m, uint32_t at, struct ct_tuple *t);
/* The same seen from the other side. => false: it has no other side (ICMP that asks for nothing).
 */
bool ct_tuple_invert(const struct ct_tuple *t, struct ct_tuple *out);

/* To be called by protocols: its time, counted from now, and its counters. */
void ct_refresh(struct ct_packet *k, uint64_t timeout);
void ct_account(struct ct_packet *k);
/* Sets bits of the status; a rule can see it. */
void ct_status_set(struct ct_packet *k, uint32_t bits);
void ct_changed(struct ct_packet *k);
/* For the log, when nf_conntrack_log_invalid is on. => CT_INVALID. */
enum ct_answer ct_invalid(const struct ct_packet *k, const char *why);
/*
 * True when checksums are to be judged here and that of the first `len` bytes of layer 4 is wrong:
 * with the pseudo-header of protocol `pseudo`, 0: without. As nf_ip_checksum(), which counts all
 * there is, whatever UDP's length field says.
 */
bool ct_checksum_bad(const struct ct_packet *k, uint8_t pseudo, uint32_t len);
/* Checksums are to be judged here: PREROUTING, nf_conntrack_checksum, and nobody vouches for it. */
bool ct_checksum_judged(const struct ct_packet *k);
static inline const struct tunables *
ct_tunables(const struct ct_packet *k)
{
	return &k->r->tunables;
}

static inline bool
ct_confirmed(const struct conn *c)
{
	return c->status & CT_CONFIRMED;
}

static inline enum ct_dir
ct_packet_dir(const struct ct_packet *k)
{
	return k->info >= CT_REPLY ? CT_DIR_REPLY : CT_DIR_ORIGINAL;
}

/* ---- conntrack_table.c ---- */

static inline struct conn *
conn_at(const struct conntrack *ct, uint32_t index)
{
	return &ct->conns[index];
}

static inline uint32_t
conn_index(const struct conntrack *ct, const struct conn *c)
{
	return (uint32_t)(c - ct->conns);
}

/* Index and direction, as lookups say them. 0: none. Links of hash chains have more to them
 * (conntrack_table.c). */
static inline uint32_t
ct_link(uint32_t index, enum ct_dir dir)
{
	return index << 1 | dir;
}

static inline uint16_t
ct_zone_of(uint16_t zone, uint8_t dirs, enum ct_dir dir)
{
	return dirs & 1u << dir ? zone : 0;
}

/* Before its record is read or changed. */
static inline void
conn_touch(struct conntrack *ct, struct conn *c)
{
	if (unlikely(c->paths))
		ct->paths->touched(ct->paths, ct, c);
}

static inline bool
conn_expired(struct conntrack *ct, struct conn *c, uint64_t now)
{
	if (likely(c->expires > now))
		return false;
	conn_touch(ct, c);
	return c->expires <= now;
}

int ct_table_init(struct conntrack *ct);
void ct_table_fini(struct conntrack *ct);
uint32_t ct_hash(const struct conntrack *ct, const struct ct_tuple *t, uint16_t zone);
bool ct_tuple_equal(const struct ct_tuple *a, const struct ct_tuple *b);
/* A lookup since the last connection entered has not found the tuple. => NULL: nobody knows. */
const struct ct_absent *ct_absent_find(
	const struct conntrack *ct, const struct ct_tuple *t, uint16_t zone);
/* The chain that lies `buckets` away from that of the hash, round the end: links to go on with by
 * ct_chain_next(), 0 at its end. Either is for as long as no connection enters or leaves. */
uint32_t ct_chain_near(const struct conntrack *ct, uint32_t hash, uint32_t buckets);
uint32_t ct_chain_next(const struct conntrack *ct, uint32_t link);
/*
 * The link of a tuple in a zone as one direction of it hashes; 0: none. With `env`, expired ones on
 * the way are ended; without they are passed over (`now`).
 */
uint32_t ct_lookup(struct conntrack *ct, struct env *env, uint64_t now, const struct ct_tuple *t,
	uint16_t zone, uint8_t zone_dir);
/* The same, where only replies of a connection in that zone would be looked for (nf_conntrack_tuple_taken()). */
uint32_t ct_lookup_answer(struct conntrack *ct, struct env *env, const struct ct_tuple *t, uint16_t zone, uint8_t zone_dir);
/* The confirmed one that already has direction `dir` of `c`; 0: none. Expired or not. */
uint32_t ct_lookup_clash(struct conntrack *ct, const struct conn *c, enum ct_dir dir);
/* Into the hash, by both directions or the reply's only. `hash` is set. */
void ct_insert(struct conntrack *ct, struct conn *c, bool reply_only);

/* A zeroed record with id; not more than `max` of them. => NULL: no room, or no
 * memory. */
struct conn *conn_new(struct conntrack *ct, uint32_t max);
void conn_put(struct conntrack *ct, struct conn *c);
/* A confirmed one leaves hash and wheel; packets may still hold it. */
void conn_kill(struct env *env, struct conntrack *ct, struct conn *c);
/* Something of it changed that a rule can see. */
void conn_changed(struct conntrack *ct, struct conn *c);
void ct_tell(struct conntrack *ct, enum ct_event e, const struct conn *c);

/* ---- conntrack_wheel.c ---- */

void wheel_init(struct wheel *w);
void wheel_add(struct conntrack *ct, struct env *env, struct conn *c);
void wheel_remove(struct conntrack *ct, struct conn *c);
/* After c->expires was changed. */
void wheel_update(struct conntrack *ct, struct env *env, struct conn *c);
/* The timer goes off at `tick` or before. */
void wheel_wake(struct conntrack *ct, struct env *env, uint64_t tick);
void wheel_idle(struct conntrack *ct, struct env *env);

/* ---- conntrack_full.c ---- */

/* May there be one more, with tuple `t`? => DROP_NONE, DROP_CT_FULL, DROP_CT_GUEST. */
enum drop_reason ct_admit(struct ct_packet *k, const struct ct_tuple *t, uint16_t zone, bool managed);
bool ct_managed(const struct conntrack *ct, const struct ct_tuple *t);
void ct_managed_note(struct conntrack *ct, const struct conn *c);
/* Ends closing and unassured ones while the table is nearly full. => false: done. `budget` records
 * at most. */
bool ct_press(struct conntrack *ct, struct env *env, uint32_t budget);
/* Counts per interface. => 0 or -ENOMEM. */
int ct_iface_add(struct conntrack *ct, uint16_t slot);

/* ---- conntrack_expect.c ---- */

/* Takes the expectation that the tuple fulfils. => index of its master, which gets a reference, and
 * *e; 0: nobody expects it. */
uint32_t ct_expect_take(struct env *env, struct conntrack *ct, const struct ct_tuple *t,
	uint16_t zone, struct ct_expected *e);
void ct_expect_forget(struct env *env, struct conn *master);
void ct_expect_free(struct env *env, struct conntrack *ct);
/* Made when it is asked for. => NULL: no memory. */
struct conn_help *conn_help_get(struct conntrack *ct, struct conn *c);
/* A line of conntrack -L expect. */
void ct_print_expectation(const struct expectation *e, uint64_t now, char *buf, size_t size);

/* ---- conntrack_seqadj.c ---- */

/* By how much the sequence number `seq` of direction `dir` is moved. */
int32_t ct_seq_offset(const struct conn *c, enum ct_dir dir, uint32_t seq);
/* The payload of the segment that begins at `seq` has grown by `by` bytes: what follows is moved. */
void ct_seq_move(struct conn *c, enum ct_dir dir, uint32_t seq, int32_t by);
/* Moves sequence number, acknowledgement and SACK blocks of a segment of `c`. => false: its options
 * cannot be read. */
bool ct_seq_adjust(struct pkt *p, const struct conn *c);

#endif
