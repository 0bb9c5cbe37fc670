/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet while it is drawn: what the parts of its generator (packets_*.c) share. */
#ifndef TESTS_ORACLE_PACKETS_DRAFT_H
#define TESTS_ORACLE_PACKETS_DRAFT_H

#include "tests/oracle/generate.h"

/* The kernel keeps incomplete datagrams from one ruleset to the next, so ids must not meet again while its namespace lives. */
enum { FLOWS = 24, WAITING = 12, QUOTE = 160, OPTIONS_MAX = 40, ID_RANGES = 100 };

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

/* All that draft_build() needs. */
struct draft {
	uint8_t iface, proto, ttl, tos, flags;
	uint8_t from, to; /* of its frame */
	uint32_t src, dst, seq, ack;
	uint16_t sport, dport, id, frag_off, window;
	uint8_t type, code;
	uint32_t rest; /* of an ICMP header, network byte order */
	uint8_t ip_options[OPTIONS_MAX], tcp_options[OPTIONS_MAX];
	uint8_t n_ip_options, n_tcp_options;
	uint16_t payload;
	const char *word;
	const uint8_t *quote; /* payload of an ICMP error */
	bool bad_sum, no_sum;
};

struct end {
	uint8_t iface;
	uint32_t addr;
	uint16_t port;
	uint32_t seq;      /* next to send */
	uint32_t got;      /* next expected of the other */
	bool scaled;
	uint32_t peer;     /* who the other seems to be from here */
	uint16_t peer_port;
	uint16_t id;       /* of an echo */
};

struct flow {
	uint8_t proto, step;
	struct end end[2];
	uint16_t seq;              /* of an echo */
	uint8_t sent[2][QUOTE];    /* last packet of each end, as it arrives at the other when that is known */
	uint16_t sent_len[2];
};

struct packets {
	struct rnd r;
	const struct ruleset_text *rs;
	struct flow flows[FLOWS];
	unsigned n_flows, last; /* the youngest flow */
	struct frame waiting[WAITING];
	unsigned n_waiting;
	uint16_t id;
	uint16_t aims[RULES_MAX]; /* rules that can be hit and were not yet */
	unsigned n_aims;
	struct hint follow; /* what the last flow was begun for */
	unsigned n_follow;  /* packets of it to come at once */
	struct flow *sent;  /* that the last packet belongs to; NULL: nothing can be learnt of it */
	unsigned sent_from; /* which end sent it */
	uint16_t sent_id;
};

/* A payload that its protocol cannot have gets shorter. */
void draft_build(struct draft *d, struct frame *f);
/* True when the router has no way for it. */
bool packet_nowhere(uint32_t dst);
/* Everything but addresses and layer 4. */
void draft_start(struct packets *g, struct draft *d);
uint32_t draft_address(struct packets *g);
/* Of hosts behind an interface; `home` -1: the router's own. */
uint32_t draft_address_at(struct packets *g, int home);
uint16_t draft_port(struct packets *g);
void draft_tcp_option(struct draft *d, const void *bytes, uint8_t len);
void draft_pad_tcp(struct draft *d);
void draft_mss(struct draft *d, uint16_t mss);
void draft_syn_options(struct packets *g, struct draft *d);
void draft_data_options(struct packets *g, struct draft *d);
void draft_spoil(struct packets *g, struct draft *d);
/* Of a rule that has not been hit, mostly. */
struct hint packets_hint(struct packets *g);
void packets_fit(struct packets *g, struct draft *d, struct frame *f);
/* TTL, TOS, length and text. */
void packets_fit_rest(struct packets *g, struct draft *d, const struct hint *h);
struct flow *flow_new(struct packets *g, const struct draft *d);
/* The flow's end `from` sends the frame, or it arrived like this. */
void flow_remember(struct packets *g, struct flow *f, unsigned from, const struct frame *frame);
/* `begun`: a flow may be met in its middle. */
bool flow_starts(const struct draft *d, bool begun);
void flow_go_on(struct packets *g, struct draft *d, struct frame *out);
void flow_error(struct packets *g, struct draft *d, struct frame *out);
/* For translation: many sources that differ in little go to one destination, so their ports clash and small ranges run out. */
void packets_crowd(struct packets *g, struct draft *d);
void packets_cut(struct packets *g, const struct frame *whole);
/* => false: no fragment waits. */
bool packets_waiting(struct packets *g, struct frame *f);
void packets_malform(struct packets *g, struct frame *f);

#endif
