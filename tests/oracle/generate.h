/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rulesets and packets from a seed. */
#ifndef TESTS_ORACLE_GENERATE_H
#define TESTS_ORACLE_GENERATE_H

#include "tests/oracle/oracle.h"
#include "tests/oracle/random.h"

enum { WORD_MAX = 16, PORTS = 6, MARKS = 4, RULE_TEXT = 768, RULES_MAX = 400, EXTS_MAX = 128, RULE_EXTS = 6, SETS = 4 };

/* What a packet must look like for a rule; what is 0 is free. */
struct hint {
	int8_t iface, out;     /* -1: any */
	uint8_t mac, to;       /* of the frame: 1 + last byte of who sends it; enum frame_to */
	uint32_t src, dst;     /* network byte order */
	uint8_t proto;
	uint16_t sport, dport; /* host byte order */
	bool icmp;
	uint8_t icmp_type, icmp_code;
	uint8_t ttl, tos;
	bool has_tos;
	uint16_t length, mss;
	uint8_t flags_mask, flags; /* of TCP */
	uint8_t tcp_option;
	bool later_fragment, local, made_here;
	bool answered;              /* of a connection that has seen both directions */
	bool reply;                 /* of the answering end */
	bool related;               /* an ICMP error about a connection */
	bool marked, connmarked;    /* another rule must have set a mark */
	uint32_t mark;              /* this one; 0: any */
	const char *word;
};

/* What a rule leaves free, the rule that calls its chain may want. */
void hint_add(struct hint *to, const struct hint *from);

struct rule {
	char table[12], chain[32];
	char text[RULE_TEXT]; /* "-A CHAIN ..." */
	struct hint hint;
	uint16_t exts[RULE_EXTS]; /* of its matches and its target */
	uint8_t n_exts;
	int16_t caller; /* a rule that calls its chain; -1: none */
	bool narrow;    /* its header or its matches refuse more than protocol and interfaces say */
	bool ends;      /* what matches never comes to the next rule of the chain */
	bool returns;   /* but to the caller's */
	uint8_t proto;  /* that its header names; 0: any */
	bool impossible; /* nothing can fit it here: an interface that there is not, a day that is over, what this router never sends */
	bool sets_mark, sets_connmark, rejects;
	uint32_t mark; /* that it sets; 0: another */
	uint8_t recent_adds, recent_asks; /* bit per table of recent: puts addresses in, is true of those in it */
	char to[32];    /* the chain that it calls; "": none */
	bool counter; /* without match and target, before a rule that is measured */
};

/* Constants that rules and packets share. */
struct pool {
	uint16_t ports[PORTS], lengths[3], mss[2];
	uint32_t marks[MARKS];
	uint8_t tos[3], ttl[3];
};

struct ruleset_text {
	struct pool pool;
	struct rule rules[RULES_MAX];
	unsigned n_rules;
	char policies[2048];  /* chain lines of each table: "filter :FORWARD DROP [0:0]\n" */
	char sets[4096];      /* ipset restore */
	uint64_t serial;
	bool slow;            /* a rule counts connections: one packet a tick of the kernel's clock */
	bool nat;             /* it has a nat table */
	bool blind;           /* rules draw destination ports, so those of other tables see no port: the kernel shows its draw only in the
				 connection that comes of it (nat_draws.h) */
};

struct address {
	const char *text;
	int8_t home; /* interface behind which it is; -1: the router's own; -2: nowhere */
};

enum { ADDRESSES = 20 };
extern const struct address addresses[ADDRESSES];

uint32_t address_value(unsigned i); /* network byte order */
int8_t address_home(uint32_t a);    /* -2: of no address in the list */

/* Names of all that can be generated: "match tcp", "target REJECT". */
unsigned ext_count(void);
const char *ext_name(unsigned i);
/* A target of the nat table alone. */
bool ext_translates(unsigned i);
/* A text with one rule that has it, to find out who knows it. */
void ext_sample(unsigned i, struct ruleset_text *rs);
/* False: not drawn any more. */
void ext_allow(unsigned i, bool allowed);
bool ext_allowed(unsigned i);

/* `measured`: a counting rule stands before each rule that has a match. `plain`: no rules at all. */
void ruleset_generate(struct ruleset_text *rs, uint64_t seed, uint64_t serial, bool measured, bool plain);
/* As iptables-restore takes it; rules for which keep[] is 0 are left out (NULL: none). To free(). */
char *ruleset_print(const struct ruleset_text *rs, const uint8_t *keep);

/* How many of 100 rulesets count connections. */
void rulesets_slow(unsigned percent);
/* All rulesets have a nat table, from now on. */
void rulesets_nat(void);
bool rulesets_have_nat(void);
/* No rule sees ports but those of the nat table. */
void ruleset_make_blind(struct ruleset_text *rs);
/* Which rules have counted a packet. */
void ruleset_hits(const struct ruleset_text *rs, const struct counts *c, bool hit[RULES_MAX]);
/*
 * Which rules a packet could reach and fit, as far as interfaces and protocols of a rule and of the rules that call its chain, and rules before it that
 * end the chain for all that comes there, decide it.
 */
void ruleset_reachable(const struct ruleset_text *rs, bool reachable[RULES_MAX]);

struct packets;

struct packets *packets_new(uint64_t seed, const struct ruleset_text *rs);
void packets_free(struct packets *g);
/* Packets are meant for rules that have not been hit, mostly. */
void packets_aim(struct packets *g, const bool hit[RULES_MAX]);
/* The next packet. */
void packets_next(struct packets *g, struct frame *f);
/* What came of the last one: answers mirror it. */
void packets_learn(struct packets *g, const struct frames *out);

/*
 * The kernel answers a sender that asks for impossible destinations five times, then once a second (ip_error() in net/ipv4/route.c), and only the host
 * may change that: such a packet gets a source that nobody had before, each time it is sent.
 */
void frame_freshen(struct frame *f);

/* One line about a packet. */
void frame_print(const struct frame *f, char *buf, size_t size);

#endif
