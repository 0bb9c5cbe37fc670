/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ruleset while it is written: what its parts (rules_*.c) share. */
#ifndef TESTS_ORACLE_RULES_DRAFT_H
#define TESTS_ORACLE_RULES_DRAFT_H

#include "tests/oracle/generate.h"

enum { T_RAW = 1, T_MANGLE = 2, T_FILTER = 4, T_SECURITY = 8, T_NAT = 16, T_ALL = 31 };
enum { H_PRE = 1, H_IN = 2, H_FWD = 4, H_OUT = 8, H_POST = 16, H_ALL = 31 };
enum { PORTS_PROTO = 255, TABLES = 5, TABLE_OF_NAT = 4, CHAINS_MAX = 12, MARKS_SET = 8, HOOKS = 5, N_MATCHES = 29, N_TARGETS = 18 };

extern const char *const table_names[TABLES];
extern const char *const hook_names[HOOKS];
extern const uint8_t table_hooks[TABLES];

struct chain {
	char name[32];
	uint8_t hooks;
	bool user, used;
	uint8_t order;
	int16_t caller; /* index of the first rule that calls it; -1: none */
};

struct gen {
	struct rnd r;
	struct ruleset_text *rs;
	uint64_t serial;
	unsigned table;
	struct chain chains[CHAINS_MAX];
	unsigned n_chains, chain;
	struct rule *rule;
	uint8_t proto;    /* of the rule; 0: any */
	uint8_t hooks;
	struct hint way;  /* what the rules that call the chain leave of the packets */
	bool terminal;    /* target ends the chain for what matches */
	uint32_t marks[MARKS_SET]; /* that MARK and CONNMARK of the rules so far set */
	unsigned n_marks;
	bool always;      /* the match that is being written is true of every packet */
	struct chain *jump; /* where the rule will send what it matches; NULL: not decided */
	unsigned n_sets;
	char set_names[SETS][32];
	uint8_t set_types[SETS], set_proto[SETS];
	uint32_t set_own[SETS], set_away[SETS]; /* of members: the router's, another's; 0: none */
	uint16_t set_port[SETS];
};

/* A match or a target. */
struct ext {
	const char *name;
	void (*write)(struct gen *g);
	uint8_t weight, tables, hooks;
	uint8_t proto; /* must be in the rule; 0: any; PORTS_PROTO: TCP or UDP */
};

extern const struct ext matches[N_MATCHES], targets[N_TARGETS];

/* => index by weight, among those that fit the rule; -1: none. */
int gen_match(struct gen *g);
int gen_target(struct gen *g);
void gen_require_proto(struct gen *g, const struct ext *e);

/* Appends to the text of the rule. */
void gen_say(struct gen *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* " !" in a quarter of the cases. */
bool gen_not(struct gen *g);
uint16_t gen_port(struct gen *g);
/* " --option port" or a range. */
void gen_port_option(struct gen *g, const char *option, uint16_t *hint);
/* Perhaps with a mask. => what is left of it */
uint32_t gen_print_mark(struct gen *g, uint32_t mark);
void gen_mark_value(struct gen *g);
unsigned gen_any_address(struct gen *g);
/* One that packets have there, mostly. */
unsigned gen_likely_address(struct gen *g, bool src);
/* What the rule asks for cannot be here: it does not count as one that could be hit. */
void gen_never(struct gen *g, bool never);
/* Rules that only packets of the router itself meet: answers to pings, errors, resets. */
bool gen_output(const struct gen *g);
bool gen_input(const struct gen *g);

/*
 * Marks rules that nothing can fit among these others: connection tracking puts fragments together before any rule; no mark is without a rule that
 * sets it.
 */
void ruleset_rule_out(struct ruleset_text *rs);

void m_tcp(struct gen *g);
void m_udp(struct gen *g);
void m_icmp(struct gen *g);
void m_multiport(struct gen *g);
void m_tcpmss(struct gen *g);
void m_iprange(struct gen *g);
void m_length(struct gen *g);
void m_ttl(struct gen *g);
void m_tos(struct gen *g);
void m_dscp(struct gen *g);
void m_addrtype(struct gen *g);
void m_pkttype(struct gen *g);
void m_mac(struct gen *g);
void m_u32(struct gen *g);
void m_string(struct gen *g);
void m_mark(struct gen *g);
void m_owner(struct gen *g);
void m_comment(struct gen *g);
void m_time(struct gen *g);
void m_statistic(struct gen *g);
void m_limit(struct gen *g);
void m_hashlimit(struct gen *g);
void m_recent(struct gen *g);
void m_state(struct gen *g);
void m_conntrack(struct gen *g);
void m_connmark(struct gen *g);
void m_connbytes(struct gen *g);
void m_connlimit(struct gen *g);
void m_set(struct gen *g);
void t_nothing(struct gen *g);
void t_reject(struct gen *g);
void t_log(struct gen *g);
void t_nflog(struct gen *g);
void t_mark(struct gen *g);
void t_connmark(struct gen *g);
void t_tcpmss(struct gen *g);
void t_ttl(struct gen *g);
void t_tos(struct gen *g);
void t_dscp(struct gen *g);
void t_ct(struct gen *g);
void t_nfqueue(struct gen *g);
void t_set(struct gen *g);
void t_snat(struct gen *g);
void t_dnat(struct gen *g);
void t_masquerade(struct gen *g);
void t_redirect(struct gen *g);
void t_netmap(struct gen *g);

#endif
