/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connection tracking of one router, to the letter of nf_conntrack (net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_tcp.c, _udp.c, _icmp.c).
 * All calls are under the slow-way lock unless they say otherwise.
 *
 * A connection is a record in a flat array, addressed by index from 1 and never by a kept pointer: the array may move when it grows, so a
 * struct conn * is good until the next call that may create one. A packet holds a reference to its connection (p->ct, p->ct_info); made packets get
 * one by env_attach(); it is dropped by env_untrack(), at the latest when the packet leaves its router or is freed.
 */
#ifndef FILTERS_CONNTRACK_H
#define FILTERS_CONNTRACK_H

#include "fabric/base/env.h"
#include "fabric/base/timer.h"
#include "filters/extension.h"

struct conntrack;

/* p->ct_info, with the kernel's numbers. p->ct 0: INVALID, unless ct_info is CT_UNTRACKED. */
enum ct_info {
	CT_ESTABLISHED = 0,
	CT_RELATED = 1,
	CT_NEW = 2,
	CT_REPLY = 3, /* added for packets of the reply direction: CT_ESTABLISHED + CT_REPLY, CT_RELATED + CT_REPLY */
	CT_UNTRACKED = 7,
};

enum ct_dir { CT_DIR_ORIGINAL, CT_DIR_REPLY };

static inline enum ct_dir
ct_dir(const struct pkt *p)
{
	return p->ct_info >= CT_REPLY ? CT_DIR_REPLY : CT_DIR_ORIGINAL;
}

/* The kernel's bits (IPS_*, linux/netfilter/nf_conntrack_common.h). */
enum ct_status {
	CT_EXPECTED = 1 << 0,
	CT_SEEN_REPLY = 1 << 1,
	CT_ASSURED = 1 << 2,
	CT_CONFIRMED = 1 << 3,
	CT_SRC_NAT = 1 << 4,
	CT_DST_NAT = 1 << 5,
	CT_SEQ_ADJUST = 1 << 6,
	CT_SRC_NAT_DONE = 1 << 7,
	CT_DST_NAT_DONE = 1 << 8,
	CT_DYING = 1 << 9,
	CT_FIXED_TIMEOUT = 1 << 10,
	CT_NAT_CLASH = 1 << 12, /* its original direction belongs to another: only replies find it, for a second */
	CT_HELPER = 1 << 13,    /* a rule gave it its helper: ports do not */
};

struct ct_tuple {
	struct ip_addr src, dst;
	uint16_t sport, dport; /* network byte order. ICMP: sport the id; dport type << 8 | code in host order, of this direction */
	uint8_t proto;
};

/* As struct ip_ct_tcp_state and ip_ct_tcp (nf_conntrack_tcp.h). */
enum ct_tcp_state { TCP_CT_NONE, TCP_CT_SYN_SENT, TCP_CT_SYN_RECV, TCP_CT_ESTABLISHED, TCP_CT_FIN_WAIT, TCP_CT_CLOSE_WAIT, TCP_CT_LAST_ACK,
	TCP_CT_TIME_WAIT, TCP_CT_CLOSE, TCP_CT_SYN_SENT2, TCP_CT_STATES };

struct conn_tcp {
	struct {
		uint32_t end, maxend, maxwin, maxack;
		uint8_t scale, flags;
	} seen[2];
	uint8_t state; /* enum ct_tcp_state */
	uint8_t last_dir, last_index, last_wscale, last_flags, retrans;
	uint32_t last_seq, last_ack, last_end;
	uint16_t last_win;
};

/* As struct ip_ct_sctp. */
struct conn_sctp {
	uint32_t vtag[2]; /* network byte order */
	uint8_t state, last_dir, init[2], flags;
};

/* What a lookup reads comes first: with a record's first line and its tuples it is decided. */
struct conn {
	uint32_t hash[2], next[2]; /* private: hash chains */
	uint64_t expires; /* ns, CLOCK_MONOTONIC */
	uint32_t status;  /* enum ct_status */
	uint32_t refs;    /* packets that hold it, and 1 for the table once confirmed */
	uint32_t mark;
	uint32_t version; /* counts changes of status, state, or mark that a rule can see */
	uint16_t masq_slot; /* masqueraded: the interface that it leaves by; 0: not */
	uint16_t worker;    /* private: of the balanced service that it goes to; 0: none */
	uint32_t due;     /* private: tick of the wheel when it is looked at */
	uint16_t due_slot; /* private: where in the wheel; 0: not in it */
	uint16_t zone;
	uint8_t zone_dir; /* bit per enum ct_dir: where the zone counts (CT --zone-orig, --zone-reply); 3: both */
	uint8_t proto;
	uint8_t managed;  /* it may use the reserve */
	uint8_t counted;  /* begun while nf_conntrack_acct was on: its counts are shown */
	struct ct_tuple tuple[2]; /* enum ct_dir */
	union {
		struct conn_tcp tcp;
		struct conn_sctp sctp;
		struct { uint64_t stream_since; } udp; /* UDP: 2 s after its first packet; GRE, UDP-Lite: not used */
	};
	struct { uint64_t packets, bytes; } count[2];
	/* no established packet needs what follows */
	struct conn_help *help; /* its own, freed with it (filters/helper.h); NULL: none */
	uint32_t id;      /* never the same twice in a row for an index; shown to people */
	uint32_t master;  /* index of the connection that expected it; 0: none */
	uint16_t helper;  /* number of its helper (filters/helper.h); 0: none */
	uint16_t in_slot; /* interface that its first packet came in by; 0: made here */
	uint16_t expecting; /* private: expectations that name it as master */
	bool masq_own;      /* masqueraded, and the address is one of that interface's own */
	uint32_t due_next, due_prev; /* private: of the wheel */
	uint32_t paths;   /* private to whoever keeps paths; 0: none, the record is up to date */
	/* of address translation (nat/nat.h) */
	uint32_t source_hash, source_next, source_prev; /* private: connections from the same source */
	uint32_t outside, guest; /* private: gauges of its outside and its inside address; 0: not translated */
} __attribute__((aligned(64)));

/*
 * Every packet of it has to be seen whole, in order: a helper reads it, or its sequence numbers are moved. What a rule or a port says is settled
 * before it is confirmed; only an adjustment begins later, and that needs a helper.
 */
static inline bool
conntrack_needs_slow_way(const struct conn *c)
{
	return c->helper || c->status & CT_SEQ_ADJUST;
}

enum ct_event { CT_EVENT_NEW, CT_EVENT_UPDATE, CT_EVENT_DESTROY };
typedef void (*conntrack_listener)(void *arg, enum ct_event e, const struct conn *c);

/* => NULL with ENOMEM. Limits and timeouts are read from the tunables of live->now of each call, so they can change. */
struct conntrack *conntrack_new(struct router_live *live, uint64_t seed);
void conntrack_free(struct conntrack *ct, struct env *env);

/*
 * At PRIORITY_CONNTRACK of PREROUTING and OUTPUT, for a whole packet (defragmented before). Finds or makes the connection, moves its state, sets p->ct and
 * p->ct_info. p->ct_info CT_UNTRACKED or p->ct set before: left alone (as nf_conntrack_in). p->ct_zone, p->ct_zone_dir, as the CT target left them, apply.
 * => FILTER_ACCEPT also for INVALID; FILTER_DROP with *why: table full (DROP_CT_FULL), ceiling of a guest (DROP_CT_GUEST), and where the kernel drops.
 */
enum filter_verdict conntrack_input(struct env *env, const struct router *r, struct pkt *p, uint8_t hook, enum drop_reason *why);
/* At PRIORITY_CONFIRM of INPUT and POSTROUTING: the connection of a first packet enters the table. => FILTER_ACCEPT or FILTER_DROP (DROP_CT_CLASH). */
enum filter_verdict conntrack_confirm(struct env *env, const struct router *r, struct pkt *p, enum drop_reason *why);

/* The packet's connection, or NULL: invalid or untracked. */
struct conn *conntrack_of(const struct router *r, const struct pkt *p);
/* Its state as `-m state` sees it, one bit: XT_CONNTRACK_STATE_BIT values of linux/netfilter/xt_conntrack.h (INVALID 1, ESTABLISHED, RELATED, NEW, UNTRACKED 64). */
uint32_t conntrack_state_bit(const struct pkt *p);

/* References: `made` (an ICMP error, a reset) belongs to the connection of `cause`, the other way round, RELATED (nf_conntrack_attach). For env_ops. */
void conntrack_attach(struct env *env, struct pkt *made, const struct pkt *cause);
/* `copy` is a copy of a packet that holds a reference: it holds one too. */
void conntrack_hold(struct env *env, struct pkt *copy);
/* Drops the reference; an unconfirmed connection that nobody holds is gone. For env_ops. */
void conntrack_untrack(struct env *env, struct pkt *p);

/* A reset was sent in its name: a confirmed TCP connection is closed (nf_conntrack_tcp_set_closing()). */
void conntrack_set_closing(struct env *env, const struct router *r, const struct pkt *p);
void conntrack_set_mark(struct conntrack *ct, struct conn *c, uint32_t mark);
/* Tuple of a packet without any state change (connlimit, probes). => false: none. */
bool conntrack_tuple(const struct pkt *p, struct ct_tuple *t);
/* The confirmed, living connection of a tuple in a zone, and which direction the tuple is; NULL: none. */
struct conn *conntrack_find(struct conntrack *ct, uint64_t now, const struct ct_tuple *t, uint16_t zone, enum ct_dir *dir);
/* The same in a zone that counts in some directions only: bit per enum ct_dir. */
struct conn *conntrack_find_zone(
	struct conntrack *ct, uint64_t now, const struct ct_tuple *t, uint16_t zone, uint8_t zone_dir, enum ct_dir *dir);

/* A connection that is expected (struct nf_conntrack_expect). */
struct ct_expected {
	struct ct_tuple tuple; /* sport 0 and src AF_UNSPEC mean any */
	uint64_t timeout;      /* ns */
	uint16_t most;         /* of one master: the oldest makes place; 0: any number */
	bool follow;           /* it is translated as its master is (nf_nat_follow_master()) ... */
	uint8_t dir;           /* ... in this direction of it, ... */
	uint16_t port;         /* ... to this port of who is to get it; network byte order */
};
/* An equal one of the same master is replaced. => 0, -EBUSY: another one expects the same; -ENOSPC, -ENOMEM. */
int conntrack_expect(struct env *env, struct conntrack *ct, struct conn *master, const struct ct_expected *e);
/* The one of that master for just this tuple, if it is still there, ends. */
void conntrack_unexpect(struct env *env, struct conntrack *ct, const struct conn *master, const struct ct_tuple *t);
/* => how many there are, at most `size` of them written to `lines`, each of CT_EXPECT_LINE bytes, as conntrack -L expect prints them. */
enum { CT_EXPECT_LINE = 512 };
uint32_t conntrack_expectations(const struct conntrack *ct, uint64_t now, char (*lines)[CT_EXPECT_LINE], uint32_t size);

/*
 * The seam for address translation, which moves the reply tuple of a connection before it is confirmed.
 * What it keeps beside the table is told when a record becomes free, confirmed or not, and freed with the table.
 */
struct conntrack_nat {
	/* A new connection was expected, and is to be translated as `master` is. => DROP_NONE, or why it cannot be. */
	enum drop_reason (*follow)(struct env *env, struct conntrack *ct, struct conn *c, const struct conn *master, const struct ct_expected *e);
	void (*forget)(struct conntrack_nat *nat, struct conntrack *ct, struct conn *c);
	void (*free)(struct conntrack_nat *nat, struct env *env);
};
/* NULL until it was set, once. The table owns it. */
struct conntrack_nat *conntrack_nat(const struct conntrack *ct);
void conntrack_nat_set(struct conntrack *ct, struct conntrack_nat *nat);
/* `c` is not confirmed. */
void conntrack_alter_reply(struct conn *c, const struct ct_tuple *reply);
/*
 * Who else a packet with tuple `t` would belong to, in the zones of `c`, and as which direction: a confirmed, living connection
 * other than `c` that did not begin with the same original tuple (then both are one flow, and confirming sorts it out). NULL: nobody.
 */
struct conn *conntrack_holder(struct env *env, struct conntrack *ct, const struct conn *c, const struct ct_tuple *t, enum ct_dir *dir);
/* The confirmed, living connection that a packet with tuple `t` would find in the zones of `c` (nf_conntrack_find_get()); NULL: none but `c`. */
struct conn *conntrack_met(struct env *env, struct conntrack *ct, const struct conn *c, const struct ct_tuple *t, enum ct_dir *dir);
/* The tuple seen from the other side. => false: it has no other side (ICMP that asks for nothing). */
bool conntrack_invert(const struct ct_tuple *t, struct ct_tuple *out);
bool conntrack_tuple_equal(const struct ct_tuple *a, const struct ct_tuple *b);
/* Keyed, of the table. */
uint32_t conntrack_hash(const struct conntrack *ct, const struct ct_tuple *t, uint16_t zone);
uint32_t conntrack_index(const struct conntrack *ct, const struct conn *c);
/* The router of the published generation that it belongs to; NULL: it is gone. */
const struct router *conntrack_router(const struct conntrack *ct);
struct conn *conntrack_at(const struct conntrack *ct, uint32_t index);
/* Two connections of the protocol with the same tuples may be one (UDP and the like). */
bool conntrack_may_clash(uint8_t proto);

/*
 * The seam for the path cache (fabric/engine/path.h), which takes packets past the table. While c->paths is not 0 it is told before the record is
 * read or changed, to bring it up to date, and when something changed that a rule can see, to forget its paths. Both clear or keep c->paths.
 */
struct conntrack_paths {
	void (*touched)(struct conntrack_paths *paths, struct conntrack *ct, struct conn *c);
	void (*changed)(struct conntrack_paths *paths, struct conntrack *ct, struct conn *c);
	struct env *env; /* for timers */
};
/* Before the first connection. */
void conntrack_paths_set(struct conntrack *ct, struct conntrack_paths *paths);
/* Notes the packet's connection for a path, or refuses. The packet has been through conntrack_input(). */
void conntrack_record(const struct env *env, const struct router *r, const struct pkt *p, struct recorder *recorder);

/* What went by since the record was brought up to date. `tcp`: the window as it is now; NULL: no TCP. */
struct conn_passed {
	uint64_t packets[2], bytes[2]; /* enum ct_dir */
	uint64_t last;                 /* ns, CLOCK_MONOTONIC, of the youngest */
	uint64_t timeout;              /* ns; not of TCP */
	const struct conn_tcp *tcp;
};
void conntrack_credit(struct conntrack *ct, struct env *env, struct conn *c, const struct conn_passed *passed);

/* Addresses whose connections may use the reserve of a full table, whatever else floods it. Copies. => 0 or -ENOMEM. */
int conntrack_set_management(struct conntrack *ct, const struct ip_prefix *prefixes, size_t n);

/*
 * Looking: visits confirmed, living connections from index *cursor on, at most `budget` of them; visit() may not create any. => true while there
 * are more; then *cursor is where to go on. So a long list never holds the slow-way lock for long.
 */
typedef void (*conntrack_visit)(void *arg, uint32_t index, struct conn *c);
bool conntrack_walk(struct conntrack *ct, uint64_t now, uint32_t *cursor, uint32_t budget, conntrack_visit visit, void *arg);
void conntrack_delete(struct env *env, struct conntrack *ct, struct conn *c);
void conntrack_flush(struct env *env, struct conntrack *ct);
/* One listener; NULL ends it. */
void conntrack_listen(struct conntrack *ct, conntrack_listener fn, void *arg);
/* The same for expectations, as lines of -L expect: CT_EVENT_NEW, CT_EVENT_DESTROY. */
typedef void (*conntrack_expect_listener)(void *arg, enum ct_event e, const char *line);
void conntrack_listen_expect(struct conntrack *ct, conntrack_expect_listener fn, void *arg);

struct conntrack_stats {
	uint64_t found, invalid, insert, insert_failed, clash_resolve, drop, early_drop, error, search_restart;
	uint64_t expect_new, expect_create, expect_delete; /* fulfilled; made; ended, fulfilled or not */
	uint32_t count, max, buckets;
	size_t memory; /* bytes */
};
void conntrack_stats(const struct conntrack *ct, struct conntrack_stats *s);

/* One connection as a line of conntrack -L (conntrack-tools): "tcp      6 431999 ESTABLISHED src=... [ASSURED] mark=0 use=1". => length, as snprintf. */
int conntrack_print(const struct conn *c, uint64_t now, char *buf, size_t size);

#endif
