/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to conntrack_tcp*.c. */
#ifndef FILTERS_CONNTRACK_TCP_H
#define FILTERS_CONNTRACK_TCP_H

#include "filters/conntrack_table.h"

#include <netinet/tcp.h>

/* Of conn_tcp.seen[].flags and last_flags: IP_CT_TCP_FLAG_* and their like (nf_conntrack_tcp.h). */
enum {
	TCP_WINDOW_SCALE = 1 << 0,
	TCP_SACK_PERM = 1 << 1,
	TCP_CLOSE_INIT = 1 << 2,
	TCP_BE_LIBERAL = 1 << 3,
	TCP_DATA_UNACKED = 1 << 4,
	TCP_MAXACK_SET = 1 << 5,
	TCP_CHALLENGE_ACK = 1 << 6,     /* last_flags only */
	TCP_SIMULTANEOUS_OPEN = 1 << 7, /* last_flags only */
};

/* What a segment is, by its flags. */
enum tcp_kind {
	TCP_IS_SYN,
	TCP_IS_SYNACK,
	TCP_IS_FIN,
	TCP_IS_ACK,
	TCP_IS_RST,
	TCP_IS_OTHER,
	TCP_KINDS
};

struct tcp_segment {
	struct tcphdr h;        /* a copy */
	uint32_t seq, ack, end; /* end: after the last byte, SYN and FIN counted */
	uint16_t win;
	uint8_t kind; /* enum tcp_kind */
	const uint8_t *options;
	uint8_t options_len;
};

enum tcp_fit { TCP_FITS, TCP_IGNORE, TCP_OUTSIDE };

typedef __typeof__(((struct conn_tcp *)NULL)->seen[0]) tcp_side;

static inline bool
seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool
seq_after(uint32_t a, uint32_t b)
{
	return seq_before(b, a);
}

/* Window scale and SACK permitted, of a SYN; leaves both as they are when there are no options. */
void tcp_read_options(const struct tcp_segment *s, uint8_t *scale, uint8_t *flags);
/* ns that a segment of `kind` leaves a connection whose state it has made `to`, once its window has moved. */
uint64_t tcp_timeout(const struct tunables *tunables, const struct conn_tcp *t, uint8_t kind, uint8_t to);
/* Is the segment within the window? Moves the window if so. */
enum tcp_fit tcp_in_window(struct ct_packet *k, const struct tcp_segment *s);

#endif
