/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window of a TCP connection as seen from its middle (tcp_in_window() of
 *nf_conntrack_proto_tcp.c, after Guido van Rooij, "Real Stateful TCP Packet Filtering in IP
 *Filter").
 *
 * For the sender of a segment `end` is the highest sequence number it has sent, `maxend` the
 *highest that the other has allowed it, `maxwin` the largest window that it has offered itself. A
 *segment fits when
 *
 *	seq        <= sender.maxend			not past what the receiver allows
 *	seq + len  >= sender.end - receiver.maxwin	not before what the receiver may still want
 *	(s)ack     <= receiver.end			nothing acknowledged that was not sent
 *	(s)ack     >= receiver.end - MAXACKWINDOW	nor too long ago
 */
#include "filters/conntrack_tcp.h"

#include <rte_byteorder.h>
#include <rte_common.h>

enum { ACK_WINDOW_MIN = 66000, SCALE_MAX = 14, SACK_BLOCK = 8 };
enum { OPT_EOL, OPT_NOP, OPT_SCALE = 3, OPT_SACK_PERM, OPT_SACK, OPT_TIMESTAMP = 8 };

static uint32_t
be32_at(const uint8_t *at)
{
	uint32_t be;

	memcpy(&be, at, 4);
	return rte_be_to_cpu_32(be);
}

/* The next option with a length: its length, and *at at its kind; 0: no more. */
static unsigned
next_option(const uint8_t **at, unsigned *left)
{
	while (*left > 0 && **at == OPT_NOP) {
		++*at;
		--*left;
	}
	if (*left < 2 || **at == OPT_EOL || (*at)[1] < 2 || (*at)[1] > *left)
		return 0;
	return (*at)[1];
}

void
tcp_read_options(const struct tcp_segment *s, uint8_t *scale, uint8_t *flags)
{
	const uint8_t *at = s->options;
	unsigned left = s->options_len, len;

	if (left == 0)
		return;
	*scale = 0;
	*flags &= TCP_BE_LIBERAL;
	for (; (len = next_option(&at, &left)); at += len, left -= len) {
		if (at[0] == OPT_SACK_PERM && len == 2)
			*flags |= TCP_SACK_PERM;
		if (at[0] == OPT_SCALE && len == 3) {
			*scale = RTE_MIN(at[2], (uint8_t)SCALE_MAX);
			*flags |= TCP_WINDOW_SCALE;
		}
	}
}

/* The highest right edge of what is acknowledged selectively, or `ack`. */
static uint32_t
read_sack(const struct tcp_segment *s, uint32_t ack)
{
	static const uint8_t timestamp_only[] = {OPT_NOP, OPT_NOP, OPT_TIMESTAMP, 10};
	const uint8_t *at = s->options;
	unsigned left = s->options_len, len, i;

	if (left == 12 && memcmp(at, timestamp_only, sizeof(timestamp_only)) == 0)
		return ack;
	for (; (len = next_option(&at, &left)); at += len, left -= len) {
		if (at[0] != OPT_SACK || len < 2 + SACK_BLOCK || (len - 2) % SACK_BLOCK)
			continue;
		for (i = 2; i < len; i += SACK_BLOCK) {
			uint32_t right = be32_at(at + i + 4);

			if (seq_after(right, ack))
				ack = right;
		}
		break;
	}
	return ack;
}

/* A SYN of this side is the first, or takes the place of one before. */
static void
begin_side(tcp_side *sender, tcp_side *receiver, const struct tcp_segment *s, enum ct_dir dir)
{
	sender->end = sender->maxend = s->end;
	sender->maxwin = s->win ? s->win : 1;
	tcp_read_options(s, &sender->scale, &sender->flags);
	/* RFC 7323, 2.2: both or none. */
	if (dir == CT_DIR_REPLY && !(sender->flags & receiver->flags & TCP_WINDOW_SCALE))
		sender->scale = receiver->scale = 0;
}

/* The beginning was not seen: believe the segment. */
static void
pick_up_side(tcp_side *sender, tcp_side *receiver, const struct tcp_segment *s, uint32_t sack)
{
	uint32_t win = (uint32_t)s->win << sender->scale;

	sender->end = s->end;
	sender->maxwin = win ? win : 1;
	sender->maxend = s->end + sender->maxwin;
	if (receiver->maxwin == 0)
		receiver->end = receiver->maxend = sack;
	else if (sack == receiver->end + 1) /* probably an answer to a keep-alive */
		receiver->end++;
}

/* => true: that is all there is to judge. */
static bool
begin(struct conn_tcp *t, enum ct_dir dir, const struct tcp_segment *s, uint32_t sack)
{
	tcp_side *sender = &t->seen[dir], *receiver = &t->seen[!dir];

	if (sender->maxwin == 0) {
		if (!s->h.syn) {
			pick_up_side(sender, receiver, s, sack);
			return false;
		}
		begin_side(sender, receiver, s, dir);
		return !s->h.ack; /* simultaneous open */
	}
	if (!s->h.syn || !seq_after(s->end, sender->end) ||
		(t->state != TCP_CT_SYN_SENT && t->state != TCP_CT_SYN_RECV))
		return false;
	begin_side(sender, receiver, s, dir);
	return dir == CT_DIR_REPLY && !s->h.ack;
}

static enum tcp_fit
misfit(const struct ct_packet *k, const tcp_side *sender, enum tcp_fit fit, const char *why)
{
	if (sender->flags & TCP_BE_LIBERAL || tune(ct_tunables(k), TUNE_CT_TCP_BE_LIBERAL))
		return TCP_FITS;
	ct_invalid(k, why);
	return fit;
}

struct edges {
	uint32_t seq, end, ack, sack;
};

static bool
reaches_window(const tcp_side *sender, const tcp_side *receiver, uint32_t end)
{
	return seq_after(end, sender->end - receiver->maxwin - 1);
}

static bool
recent_ack(const tcp_side *sender, const tcp_side *receiver, uint32_t sack)
{
	return seq_after(
		sack, receiver->end - RTE_MAX(sender->maxwin, (uint32_t)ACK_WINDOW_MIN) - 1);
}

/*
 * Beyond the window. If that alone is wrong and the receiver takes it nevertheless, what it
 * acknowledges then must not be out of bounds for ever after.
 */
static enum tcp_fit
judge_overshot(const struct ct_packet *k, tcp_side *sender, const tcp_side *receiver,
	const struct edges *e)
{
	uint32_t overshot = e->end - sender->maxend + 1;

	if (receiver->maxwin == 0 || !reaches_window(sender, receiver, e->end) ||
		!recent_ack(sender, receiver, e->sack) || overshot > receiver->maxwin ||
		!seq_before(e->sack, receiver->end + 1))
		return misfit(k, sender, TCP_OUTSIDE, "SEQ is over upper bound");
	sender->end = e->end;
	sender->flags |= TCP_DATA_UNACKED;
	return misfit(k, sender, TCP_IGNORE, "more bytes than expected");
}

/* *settled: the answer stands, and the window stays where it is. */
static enum tcp_fit
judge(const struct ct_packet *k, tcp_side *sender, const tcp_side *receiver, const struct edges *e,
	bool *settled)
{
	*settled = true;
	if (!seq_before(e->seq, sender->maxend + 1))
		return judge_overshot(k, sender, receiver, e);
	if (!seq_before(e->sack, receiver->end + 1))
		return misfit(k, sender, TCP_OUTSIDE, "ACK is over upper bound");
	if (receiver->maxwin && !reaches_window(sender, receiver, e->end))
		return misfit(k, sender, TCP_IGNORE, "SEQ is under lower bound");
	if (!recent_ack(sender, receiver, e->sack))
		return misfit(k, sender, TCP_IGNORE, "ignored ACK under lower bound");
	*settled = false;
	return TCP_FITS;
}

static void
move_sender(tcp_side *sender, const struct tcp_segment *s, const struct edges *e, uint32_t win)
{
	uint32_t swin = win + (e->sack - e->ack);

	if (sender->maxwin < swin)
		sender->maxwin = swin;
	if (seq_after(e->end, sender->end)) {
		sender->end = e->end;
		sender->flags |= TCP_DATA_UNACKED;
	}
	if (!s->h.ack)
		return;
	if (!(sender->flags & TCP_MAXACK_SET) || seq_after(e->ack, sender->maxack))
		sender->maxack = e->ack;
	sender->flags |= TCP_MAXACK_SET;
}

static void
move_receiver(const tcp_side *sender, tcp_side *receiver, const struct edges *e, uint32_t win)
{
	if (receiver->maxwin != 0 && seq_after(e->end, sender->maxend))
		receiver->maxwin += e->end - sender->maxend;
	if (seq_after(e->sack + win, receiver->maxend - 1)) {
		receiver->maxend = e->sack + win;
		if (win == 0)
			receiver->maxend++;
	}
	if (e->ack == receiver->end)
		receiver->flags &= (uint8_t)~TCP_DATA_UNACKED;
}

/* The same ACK again and again: it is not heard. */
static void
note_repetition(
	struct conn_tcp *t, enum ct_dir dir, const struct tcp_segment *s, const struct edges *e)
{
	if (s->kind != TCP_IS_ACK)
		return;
	if (t->last_dir == dir && t->last_seq == e->seq && t->last_ack == e->ack &&
		t->last_end == e->end && t->last_win == s->win) {
		t->retrans++;
		return;
	}
	t->last_dir = dir;
	t->last_seq = e->seq;
	t->last_ack = e->ack;
	t->last_end = e->end;
	t->last_win = s->win;
	t->retrans = 0;
}

/* What of the segment counts, where it says nothing, or what it says is known to be wrong. */
static void
amend(struct edges *e, const struct conn_tcp *t, enum ct_dir dir, const struct tcp_segment *s)
{
	if (!s->h.ack || (s->h.rst && e->ack == 0))
		e->ack = e->sack = t->seen[!dir].end;
	if (s->h.rst && e->seq == 0 && t->state == TCP_CT_SYN_SENT)
		e->seq = e->end = t->seen[dir].end;
}

/* What the other end acknowledges are numbers as it was given them (ct_seq_adjust()). */
static void
unmove(struct edges *e, const struct conn *c, enum ct_dir dir)
{
	uint32_t offset = (uint32_t)ct_seq_offset(c, !dir, e->ack - 1);

	e->ack -= offset;
	e->sack -= offset;
}

enum tcp_fit
tcp_in_window(struct ct_packet *k, const struct tcp_segment *s)
{
	struct conn_tcp *t = &k->c->tcp;
	enum ct_dir dir = ct_packet_dir(k);
	tcp_side *sender = &t->seen[dir], *receiver = &t->seen[!dir];
	struct edges e = {s->seq, s->end, s->ack, s->ack};
	uint32_t win = s->win;
	enum tcp_fit fit;
	bool settled;

	if (receiver->flags & TCP_SACK_PERM)
		e.sack = read_sack(s, e.ack);
	if (k->c->status & CT_SEQ_ADJUST)
		unmove(&e, k->c, dir);
	if (begin(t, dir, s, e.sack))
		return TCP_FITS;
	amend(&e, t, dir, s);
	fit = judge(k, sender, receiver, &e, &settled);
	if (settled)
		return fit;
	if (!s->h.syn)
		win <<= sender->scale;
	move_sender(sender, s, &e, win);
	move_receiver(sender, receiver, &e, win);
	note_repetition(t, dir, s, &e);
	return TCP_FITS;
}
