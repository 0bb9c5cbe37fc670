/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The states of a TCP connection as seen from its middle (nf_conntrack_proto_tcp.c).
 *
 * Two entries of the table are no states. `IV`: the segment cannot be of this connection. `IG`: it
 * may be right or wrong, and the other end will tell: it passes, the state stays, and what it said
 * is kept, because an answer to it can show that it is we who are wrong.
 */
#include "filters/conntrack_tcp.h"

#include <rte_byteorder.h>
#include <rte_common.h>

enum { IV = TCP_CT_STATES, IG };

/* clang-format off */
#define NO TCP_CT_NONE
#define SS TCP_CT_SYN_SENT
#define SR TCP_CT_SYN_RECV
#define ES TCP_CT_ESTABLISHED
#define FW TCP_CT_FIN_WAIT
#define CW TCP_CT_CLOSE_WAIT
#define LA TCP_CT_LAST_ACK
#define TW TCP_CT_TIME_WAIT
#define CL TCP_CT_CLOSE
#define S2 TCP_CT_SYN_SENT2

static const uint8_t transitions[2][TCP_KINDS][TCP_CT_STATES] = {
	[CT_DIR_ORIGINAL] = {
		/*                  NO  SS  SR  ES  FW  CW  LA  TW  CL  S2 */
		[TCP_IS_SYN]    = { SS, SS, IG, IG, IG, IG, IG, SS, SS, S2 },
		[TCP_IS_SYNACK] = { IV, IV, SR, IV, IV, IV, IV, IV, IV, SR },
		[TCP_IS_FIN]    = { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
		[TCP_IS_ACK]    = { ES, IV, ES, ES, CW, CW, TW, TW, CL, IV },
		[TCP_IS_RST]    = { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[TCP_IS_OTHER]  = { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	},
	[CT_DIR_REPLY] = {
		[TCP_IS_SYN]    = { IV, S2, IV, IV, IV, IV, IV, SS, IV, S2 },
		[TCP_IS_SYNACK] = { IV, SR, IG, IG, IG, IG, IG, IG, IG, SR },
		[TCP_IS_FIN]    = { IV, IV, FW, FW, LA, LA, LA, TW, CL, IV },
		[TCP_IS_ACK]    = { IV, IG, SR, ES, CW, CW, TW, TW, CL, IG },
		[TCP_IS_RST]    = { IV, CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[TCP_IS_OTHER]  = { IV, IV, IV, IV, IV, IV, IV, IV, IV, IV },
	},
};

#undef NO
#undef SS
#undef SR
#undef ES
#undef FW
#undef CW
#undef LA
#undef TW
#undef CL
#undef S2
/* clang-format on */

/* SYN_SENT2 has no tunable in Linux either. */
static const uint64_t SYN_SENT2_TIME = 120 * 1000000000ull;

static const uint8_t timeouts[TCP_CT_STATES] = {
	[TCP_CT_NONE] = TUNE_CT_TCP_SYN_SENT,
	[TCP_CT_SYN_SENT] = TUNE_CT_TCP_SYN_SENT,
	[TCP_CT_SYN_RECV] = TUNE_CT_TCP_SYN_RECV,
	[TCP_CT_ESTABLISHED] = TUNE_CT_TCP_ESTABLISHED,
	[TCP_CT_FIN_WAIT] = TUNE_CT_TCP_FIN_WAIT,
	[TCP_CT_CLOSE_WAIT] = TUNE_CT_TCP_CLOSE_WAIT,
	[TCP_CT_LAST_ACK] = TUNE_CT_TCP_LAST_ACK,
	[TCP_CT_TIME_WAIT] = TUNE_CT_TCP_TIME_WAIT,
	[TCP_CT_CLOSE] = TUNE_CT_TCP_CLOSE,
};

enum {
	FLAG_FIN = 1,
	FLAG_SYN = 2,
	FLAG_RST = 4,
	FLAG_ACK = 16,
	FLAG_URG = 32,
	FLAGS_JUDGED = 0x37
};

/* Combinations of flags that make sense; PSH, ECE and CWR may be added to any. */
static const bool sane_flags[FLAGS_JUDGED + 1] = {
	[FLAG_SYN] = true,
	[FLAG_SYN | FLAG_URG] = true,
	[FLAG_SYN | FLAG_ACK] = true,
	[FLAG_RST] = true,
	[FLAG_RST | FLAG_ACK] = true,
	[FLAG_FIN | FLAG_ACK] = true,
	[FLAG_FIN | FLAG_ACK | FLAG_URG] = true,
	[FLAG_ACK] = true,
	[FLAG_ACK | FLAG_URG] = true,
};

static enum tcp_kind
kind_of(const struct tcphdr *h)
{
	if (h->rst)
		return TCP_IS_RST;
	if (h->syn)
		return h->ack ? TCP_IS_SYNACK : TCP_IS_SYN;
	if (h->fin)
		return TCP_IS_FIN;
	return h->ack ? TCP_IS_ACK : TCP_IS_OTHER;
}

/* A super-packet is one segment. */
static enum ct_answer
read_segment(const struct ct_packet *k, struct tcp_segment *s)
{
	const struct pkt *p = k->p;
	const uint8_t *l4;
	uint32_t l4_bytes = pkt_len(p) - p->l3_len, payload;

	if (p->l4_len < sizeof(s->h))
		return ct_invalid(k, "truncated packet");
	if (ct_checksum_bad(k, IPPROTO_TCP, l4_bytes))
		return ct_invalid(k, "bad checksum");
	l4 = pkt_l4(p);
	if (!sane_flags[l4[13] & FLAGS_JUDGED])
		return ct_invalid(k, "invalid tcp flag combination");
	memcpy(&s->h, l4, sizeof(s->h));
	payload = l4_bytes - p->l4_len;
	s->seq = rte_be_to_cpu_32(s->h.seq);
	s->ack = rte_be_to_cpu_32(s->h.ack_seq);
	s->win = rte_be_to_cpu_16(s->h.window);
	s->end = s->seq + payload + s->h.syn + s->h.fin;
	s->kind = kind_of(&s->h);
	s->options = l4 + sizeof(s->h);
	s->options_len = (uint8_t)(p->l4_len - sizeof(s->h));
	return CT_PASS;
}

/* The first segment of a connection. => false: none can begin with it. */
static bool
tcp_begin(struct ct_packet *k, const struct tcp_segment *s)
{
	struct conn_tcp *t = &k->c->tcp;
	uint8_t state = transitions[CT_DIR_ORIGINAL][s->kind][TCP_CT_NONE];
	bool syn = state == TCP_CT_SYN_SENT;

	if (state >= TCP_CT_STATES) {
		ct_invalid(k, "invalid new");
		return false;
	}
	if (!syn && !tune(ct_tunables(k), TUNE_CT_TCP_LOOSE))
		return false;
	memset(t, 0, sizeof(*t));
	t->seen[0].end = t->seen[0].maxend = s->end;
	t->seen[0].maxwin = s->win ? s->win : 1;
	if (syn) {
		tcp_read_options(s, &t->seen[0].scale, &t->seen[0].flags);
	} else {
		/* Window scaling cannot be known any more. */
		t->seen[0].maxend += t->seen[0].maxwin;
		t->seen[0].flags = t->seen[1].flags = TCP_SACK_PERM | TCP_BE_LIBERAL;
	}
	t->last_index = TCP_IS_OTHER;
	return true;
}

bool
ct_tcp_closing(const struct conn *c)
{
	return c->tcp.state >= TCP_CT_FIN_WAIT && c->tcp.state <= TCP_CT_CLOSE;
}

static bool
established(const struct conn *c)
{
	return c->tcp.state == TCP_CT_ESTABLISHED && c->status & CT_ASSURED;
}

/* What is to be done with a segment once its transition is known. */
enum step { STEP_WINDOW, STEP_TAKE, STEP_PASS, STEP_INVALID, STEP_AGAIN };

/* An ignored SYN is answered: the ends agree, and we did not. Take over what it said. */
static void
resync(struct conn_tcp *t, enum ct_dir dir)
{
	tcp_side *other = &t->seen[t->last_dir], *own = &t->seen[dir];

	t->last_flags &= (uint8_t)~TCP_CHALLENGE_ACK;
	other->end = other->maxend = t->last_end;
	other->maxwin = t->last_win ? t->last_win : 1;
	other->scale = t->last_wscale;
	other->flags = t->last_flags;
	*own = (tcp_side){.flags = own->flags & TCP_BE_LIBERAL};
}

static void
note_syn(struct conn_tcp *t, const struct tcp_segment *s)
{
	uint8_t scale = 0, flags = 0;

	tcp_read_options(s, &scale, &flags);
	t->last_flags = flags & (TCP_WINDOW_SCALE | TCP_SACK_PERM);
	t->last_wscale = flags & TCP_WINDOW_SCALE ? scale : 0;
	/* RFC 5961: the answer may be a challenge, which is no ACK of the last FIN. */
	if (t->state == TCP_CT_LAST_ACK)
		t->last_flags |= TCP_CHALLENGE_ACK;
}

static enum step
ignore(struct ct_packet *k, const struct tcp_segment *s)
{
	struct conn_tcp *t = &k->c->tcp;
	enum ct_dir dir = ct_packet_dir(k);

	t->last_index = s->kind;
	t->last_dir = dir;
	t->last_seq = s->seq;
	t->last_end = s->end;
	t->last_win = s->win;
	if (s->kind == TCP_IS_SYN && dir == CT_DIR_ORIGINAL)
		note_syn(t, s);
	if (t->state == TCP_CT_SYN_SENT && s->kind == TCP_IS_ACK && dir == CT_DIR_REPLY)
		t->last_ack = s->ack;
	ct_invalid(k, "packet ignored");
	return STEP_PASS;
}

static enum step
ignore_or_resync(struct ct_packet *k, const struct tcp_segment *s, uint8_t *from, uint8_t *to)
{
	struct conn_tcp *t = &k->c->tcp;
	enum ct_dir dir = ct_packet_dir(k);

	if (s->kind != TCP_IS_SYNACK || t->last_index != TCP_IS_SYN || t->last_dir == dir ||
		s->ack != t->last_end)
		return ignore(k, s);
	*from = TCP_CT_SYN_SENT;
	*to = TCP_CT_SYN_RECV;
	resync(t, dir);
	return STEP_WINDOW;
}

/* A SYN where a connection was: the same ends begin again (RFC 9293, 3.6.1), if we saw the old one
 * end. */
static enum step
syn_again(struct ct_packet *k, const struct tcp_segment *s, uint8_t *from, uint8_t *to)
{
	const struct conn_tcp *t = &k->c->tcp;

	if (*from < TCP_CT_TIME_WAIT)
		return STEP_WINDOW;
	if ((t->seen[0].flags | t->seen[1].flags) & TCP_CLOSE_INIT ||
		(t->last_dir == ct_packet_dir(k) && t->last_index == TCP_IS_RST))
		return STEP_AGAIN;
	return ignore_or_resync(k, s, from, to);
}

/* An answer to what was let through unjudged: the window says nothing about it. */
static bool
reset_answers_ignored(const struct ct_packet *k, const struct tcp_segment *s, uint8_t from)
{
	const struct conn *c = k->c;
	const struct conn_tcp *t = &c->tcp;
	bool syn = c->status & CT_SEEN_REPLY && t->last_index == TCP_IS_SYN &&
		   t->last_dir != ct_packet_dir(k);
	bool ack = !(c->status & CT_ASSURED) && t->last_index == TCP_IS_ACK;

	if ((syn || ack) && s->ack == t->last_end)
		return true;
	return from == TCP_CT_SYN_SENT && t->last_index == TCP_IS_ACK &&
	       t->last_dir == CT_DIR_REPLY && s->seq == t->last_ack;
}

/* RFC 5961, 3: only a reset at exactly the next sequence number is sure to be believed. */
static enum step
judge_reset(struct ct_packet *k, const struct tcp_segment *s, uint8_t from, uint8_t *to)
{
	const struct conn_tcp *t = &k->c->tcp;
	enum ct_dir dir = ct_packet_dir(k);
	const tcp_side *other = &t->seen[!dir];

	if (ct_tcp_closing(k->c))
		return STEP_TAKE;
	if (other->flags & TCP_MAXACK_SET && t->last_index != TCP_IS_SYN) {
		if (s->seq == 0 && !established(k->c))
			return STEP_WINDOW;
		if (seq_before(s->seq, other->maxack) &&
			!tune(ct_tunables(k), TUNE_CT_TCP_IGNORE_INVALID_RST)) {
			ct_invalid(k, "invalid rst");
			return STEP_INVALID;
		}
		if (!established(k->c) || s->seq == other->maxack)
			return STEP_WINDOW;
		if (t->last_index == TCP_IS_ACK && t->last_dir == dir && s->seq == t->last_end)
			return STEP_WINDOW;
		*to = from;
	}
	return reset_answers_ignored(k, s, from) ? STEP_TAKE : STEP_WINDOW;
}

static bool
is_challenge(const struct ct_packet *k, const struct tcp_segment *s, uint8_t from)
{
	const struct conn_tcp *t = &k->c->tcp;

	return from == TCP_CT_LAST_ACK && s->kind == TCP_IS_ACK &&
	       t->last_dir != ct_packet_dir(k) && t->last_index == TCP_IS_SYN &&
	       t->last_flags & TCP_CHALLENGE_ACK;
}

static enum step
step_of(struct ct_packet *k, const struct tcp_segment *s, uint8_t *from, uint8_t *to)
{
	struct conn_tcp *t = &k->c->tcp;

	switch (*to) {
	case TCP_CT_SYN_SENT:
		return syn_again(k, s, from, to);
	case IG:
		return ignore_or_resync(k, s, from, to);
	case IV:
		ct_invalid(k, "packet invalid in this state");
		return STEP_INVALID;
	case TCP_CT_TIME_WAIT:
		if (!is_challenge(k, s, *from))
			break;
		t->last_flags &= (uint8_t)~TCP_CHALLENGE_ACK;
		ct_invalid(k, "challenge-ack ignored");
		return STEP_PASS;
	case TCP_CT_SYN_SENT2:
		t->last_flags |= TCP_SIMULTANEOUS_OPEN;
		break;
	case TCP_CT_SYN_RECV:
		if (ct_packet_dir(k) == CT_DIR_REPLY && s->kind == TCP_IS_ACK &&
			t->last_flags & TCP_SIMULTANEOUS_OPEN)
			*to = TCP_CT_ESTABLISHED;
		break;
	case TCP_CT_CLOSE:
		if (s->kind == TCP_IS_RST)
			return judge_reset(k, s, *from, to);
		break;
	}
	return STEP_WINDOW;
}

/*
 * FIN or RST out of the window, from both ends: we have lost track, and the connection probably is
 * no more. It shall not stay for days.
 */
static void
shorten_lost(struct ct_packet *k, const struct tcp_segment *s)
{
	struct conn *c = k->c;
	struct conn_tcp *t = &c->tcp;
	uint64_t timeout = tune_seconds(ct_tunables(k), TUNE_CT_TCP_UNACK), now = k->env->now, left;
	enum ct_dir dir = ct_packet_dir(k);

	if (!(c->status & CT_ASSURED) || c->status & CT_FIXED_TIMEOUT ||
		(s->kind != TCP_IS_RST && s->kind != TCP_IS_FIN))
		return;
	if (t->last_dir == dir || (t->last_index != TCP_IS_FIN && t->last_index != TCP_IS_RST)) {
		t->last_index = s->kind;
		t->last_dir = dir;
		return;
	}
	left = c->expires > now ? c->expires - now : 0;
	if (left < 120 * CT_SECOND || left <= timeout)
		return;
	c->expires = now + timeout;
	wheel_update(k->ct, k->env, c);
}

static uint64_t
timeout_of_state(const struct tunables *tunables, uint8_t state)
{
	if (state == TCP_CT_SYN_SENT2)
		return SYN_SENT2_TIME;
	return tune_seconds(tunables, (enum tunable_id)timeouts[state]);
}

uint64_t
tcp_timeout(const struct tunables *tunables, const struct conn_tcp *t, uint8_t kind, uint8_t to)
{
	uint64_t usual = timeout_of_state(tunables, to);
	uint64_t retrans = tune_seconds(tunables, TUNE_CT_TCP_RETRANS);
	uint64_t unack = tune_seconds(tunables, TUNE_CT_TCP_UNACK);

	if (t->retrans >= tune(tunables, TUNE_CT_TCP_MAX_RETRANS) && usual > retrans)
		return retrans;
	if (kind == TCP_IS_RST)
		return tune_seconds(tunables, TUNE_CT_TCP_CLOSE);
	if ((t->seen[0].flags | t->seen[1].flags) & TCP_DATA_UNACKED && usual > unack)
		return unack;
	if (t->last_win == 0 && usual > retrans)
		return retrans;
	return usual;
}

static void
take_unanswered(struct ct_packet *k, const struct tcp_segment *s, uint8_t from, uint8_t to,
	uint64_t timeout)
{
	uint64_t unack = tune_seconds(ct_tunables(k), TUNE_CT_TCP_UNACK);

	/* Refused: nothing is left to remember. */
	if (s->h.rst) {
		ct_account(k);
		conn_kill(k->env, k->ct, k->c);
		return;
	}
	/* Whoever repeats its SYN does not keep the entry alive by it. */
	if (s->kind == TCP_IS_SYN && from == TCP_CT_SYN_SENT)
		return;
	if (to == TCP_CT_ESTABLISHED)
		timeout = RTE_MIN(timeout, unack);
	ct_refresh(k, timeout);
}

static enum ct_answer
take(struct ct_packet *k, const struct tcp_segment *s, uint8_t from, uint8_t to)
{
	struct conn *c = k->c;
	enum ct_dir dir = ct_packet_dir(k);
	uint64_t timeout;

	c->tcp.last_index = s->kind;
	c->tcp.last_dir = dir;
	if (c->tcp.state != to)
		ct_changed(k);
	c->tcp.state = to;
	if (from != to && to == TCP_CT_FIN_WAIT)
		c->tcp.seen[dir].flags |= TCP_CLOSE_INIT;
	timeout = tcp_timeout(ct_tunables(k), &c->tcp, s->kind, to);
	if (!(c->status & CT_SEEN_REPLY)) {
		take_unanswered(k, s, from, to, timeout);
		return CT_PASS;
	}
	if ((from == TCP_CT_SYN_RECV || from == TCP_CT_ESTABLISHED) && to == TCP_CT_ESTABLISHED)
		ct_status_set(k, CT_ASSURED);
	ct_refresh(k, timeout);
	return CT_PASS;
}

enum ct_answer
ct_tcp_packet(struct ct_packet *k)
{
	struct conn *c = k->c;
	struct tcp_segment s;
	uint8_t from, to;
	enum step step;

	if (read_segment(k, &s) == CT_INVALID || (!ct_confirmed(c) && !tcp_begin(k, &s)))
		return CT_INVALID;
	from = c->tcp.state;
	to = transitions[ct_packet_dir(k)][s.kind][from];
	step = step_of(k, &s, &from, &to);
	if (step == STEP_WINDOW) {
		enum tcp_fit fit = tcp_in_window(k, &s);

		if (fit == TCP_OUTSIDE)
			shorten_lost(k, &s);
		step = fit == TCP_FITS ? STEP_TAKE : fit == TCP_IGNORE ? STEP_PASS : STEP_INVALID;
	}
	switch (step) {
	case STEP_TAKE:
		return take(k, &s, from, to);
	case STEP_PASS:
		return CT_PASS;
	case STEP_AGAIN:
		conn_kill(k->env, k->ct, c);
		return CT_AGAIN;
	default:
		return CT_INVALID;
	}
}

void
conntrack_set_closing(struct env *env, const struct router *r, const struct pkt *p)
{
	struct conn *c = r->live->filters ? conntrack_of(r, p) : NULL;
	bool closed;

	if (!c || c->proto != IPPROTO_TCP || !ct_confirmed(c))
		return;
	closed = c->tcp.state == TCP_CT_CLOSE;
	c->tcp.state = TCP_CT_CLOSE;
	if (closed || c->status & CT_FIXED_TIMEOUT)
		return;
	c->expires = env->now + tune_seconds(&r->tunables, TUNE_CT_TCP_CLOSE);
	wheel_update(r->live->filters->conntrack, env, c);
	conn_changed(r->live->filters->conntrack, c);
}
