/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TCP connection on the fast way: the window of conntrack_tcp_window.c for segments about which there is nothing to decide. */
#ifndef FILTERS_CONNTRACK_PATH_H
#define FILTERS_CONNTRACK_PATH_H

#include "filters/conntrack_tcp.h"

enum { PATH_ACK_WINDOW_MIN = 66000 };

/*
 * A segment with ACK, perhaps PSH, and no option but a time stamp, of an established connection that both ends have spoken in. Moves
 * the window as tcp_in_window() and what follows it would. => false: the segment is not surely within the window; nothing has changed.
 */
static inline bool
tcp_follow(struct conn_tcp *t, enum ct_dir dir, uint32_t seq, uint32_t end, uint32_t ack, uint16_t raw_win)
{
	tcp_side *sender = &t->seen[dir], *receiver = &t->seen[!dir];
	uint32_t win = (uint32_t)raw_win << sender->scale;
	uint32_t recent = sender->maxwin > PATH_ACK_WINDOW_MIN ? sender->maxwin : PATH_ACK_WINDOW_MIN;

	if (!seq_before(seq, sender->maxend + 1) || !seq_before(ack, receiver->end + 1) ||
		!seq_after(end, sender->end - receiver->maxwin - 1) || !seq_after(ack, receiver->end - recent - 1))
		return false;
	if (sender->maxwin < win)
		sender->maxwin = win;
	if (seq_after(end, sender->end)) {
		sender->end = end;
		sender->flags |= TCP_DATA_UNACKED;
	}
	if (!(sender->flags & TCP_MAXACK_SET) || seq_after(ack, sender->maxack))
		sender->maxack = ack;
	sender->flags |= TCP_MAXACK_SET;
	if (seq_after(end, sender->maxend))
		receiver->maxwin += end - sender->maxend;
	if (seq_after(ack + win, receiver->maxend - 1))
		receiver->maxend = ack + win + (win == 0);
	if (ack == receiver->end)
		receiver->flags &= (uint8_t)~TCP_DATA_UNACKED;
	t->last_index = TCP_IS_ACK;
	if (t->last_dir == dir && t->last_seq == seq && t->last_ack == ack && t->last_end == end && t->last_win == raw_win) {
		t->retrans++;
		return true;
	}
	t->last_dir = (uint8_t)dir;
	t->last_seq = seq;
	t->last_ack = ack;
	t->last_end = end;
	t->last_win = raw_win;
	t->retrans = 0;
	return true;
}

#endif
