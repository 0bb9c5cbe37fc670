/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SCTP associations (nf_conntrack_proto_sctp.c): chunks move the state, verification tags tell the
 * ends. */
#include "filters/conntrack_table.h"

#include "fabric/base/crc32c.h"

#include <rte_byteorder.h>

enum sctp_state {
	NONE,
	CLOSED,
	COOKIE_WAIT,
	COOKIE_ECHOED,
	ESTABLISHED,
	SHUTDOWN_SENT,
	SHUTDOWN_RECD,
	SHUTDOWN_ACK_SENT,
	HEARTBEAT_SENT,
	STATES
};

enum chunk {
	DATA = 0,
	INIT = 1,
	INIT_ACK = 2,
	HEARTBEAT = 4,
	HEARTBEAT_ACK = 5,
	ABORT = 6,
	SHUTDOWN = 7,
	SHUTDOWN_ACK = 8,
	ERROR_CHUNK = 9,
	COOKIE_ECHO = 10,
	COOKIE_ACK = 11,
	SHUTDOWN_COMPLETE = 14,
	MOVING_CHUNKS = 15
};

enum { HEADER = 12, CHUNK_HEADER = 4, INIT_HEADER = 16, FLAG_T = 1, TAG_DOUBTED = 1 };

/* clang-format off */
#define NO NONE
#define CL CLOSED
#define CW COOKIE_WAIT
#define CE COOKIE_ECHOED
#define ES ESTABLISHED
#define SS SHUTDOWN_SENT
#define SR SHUTDOWN_RECD
#define SA SHUTDOWN_ACK_SENT
#define HS HEARTBEAT_SENT
#define IV STATES

/* Chunks without a row (`moves` says which have one) leave the state as it is. */
static const uint8_t transitions[2][MOVING_CHUNKS][STATES] = {
	[CT_DIR_ORIGINAL] = {
		/*                      NO  CL  CW  CE  ES  SS  SR  SA  HS */
		[INIT]              = { CL, CL, CW, CE, ES, CL, CL, SA, CW },
		[INIT_ACK]          = { CL, CL, CW, CE, ES, SS, SR, SA, CL },
		[ABORT]             = { CL, CL, CL, CL, CL, CL, CL, CL, CL },
		[SHUTDOWN]          = { CL, CL, CW, CE, SS, SS, SR, SA, CL },
		[SHUTDOWN_ACK]      = { SA, CL, CW, CE, ES, SA, SA, SA, SA },
		[ERROR_CHUNK]       = { CL, CL, CW, CE, ES, SS, SR, SA, CL },
		[COOKIE_ECHO]       = { CL, CL, CE, CE, ES, SS, SR, SA, CL },
		[COOKIE_ACK]        = { CL, CL, CW, ES, ES, SS, SR, SA, CL },
		[SHUTDOWN_COMPLETE] = { CL, CL, CW, CE, ES, SS, SR, CL, CL },
		[HEARTBEAT]         = { HS, CL, CW, CE, ES, SS, SR, SA, HS },
		[HEARTBEAT_ACK]     = { CL, CL, CW, CE, ES, SS, SR, SA, HS },
	},
	[CT_DIR_REPLY] = {
		[INIT]              = { IV, CL, CW, CE, ES, SS, SR, SA, IV },
		[INIT_ACK]          = { IV, CW, CW, CE, ES, SS, SR, SA, IV },
		[ABORT]             = { IV, CL, CL, CL, CL, CL, CL, CL, IV },
		[SHUTDOWN]          = { IV, CL, CW, CE, SR, SS, SR, SA, IV },
		[SHUTDOWN_ACK]      = { IV, CL, CW, CE, ES, SA, SA, SA, IV },
		[ERROR_CHUNK]       = { IV, CL, CW, CL, ES, SS, SR, SA, IV },
		[COOKIE_ECHO]       = { IV, CL, CE, CE, ES, SS, SR, SA, IV },
		[COOKIE_ACK]        = { IV, CL, CW, ES, ES, SS, SR, SA, IV },
		[SHUTDOWN_COMPLETE] = { IV, CL, CW, CE, ES, SS, SR, CL, IV },
		[HEARTBEAT]         = { IV, CL, CW, CE, ES, SS, SR, SA, HS },
		[HEARTBEAT_ACK]     = { IV, CL, CW, CE, ES, SS, SR, SA, ES },
	},
};

#undef NO
#undef CL
#undef CW
#undef CE
#undef ES
#undef SS
#undef SR
#undef SA
#undef HS
#undef IV
/* clang-format on */

static const uint32_t moves = 1 << INIT | 1 << INIT_ACK | 1 << HEARTBEAT | 1 << HEARTBEAT_ACK |
			      1 << ABORT | 1 << SHUTDOWN | 1 << SHUTDOWN_ACK | 1 << ERROR_CHUNK |
			      1 << COOKIE_ECHO | 1 << COOKIE_ACK | 1 << SHUTDOWN_COMPLETE;

/* Seconds, Linux' defaults; they are no tunables of ours. */
static const uint16_t timeouts[STATES] = {
	[NONE] = 10,
	[CLOSED] = 10,
	[COOKIE_WAIT] = 3,
	[COOKIE_ECHOED] = 3,
	[ESTABLISHED] = 210,
	[SHUTDOWN_SENT] = 3,
	[SHUTDOWN_RECD] = 3,
	[SHUTDOWN_ACK_SENT] = 3,
	[HEARTBEAT_SENT] = 30,
};

static const char *const names[STATES] = {
	[NONE] = "NONE",
	[CLOSED] = "CLOSED",
	[COOKIE_WAIT] = "COOKIE_WAIT",
	[COOKIE_ECHOED] = "COOKIE_ECHOED",
	[ESTABLISHED] = "ESTABLISHED",
	[SHUTDOWN_SENT] = "SHUTDOWN_SENT",
	[SHUTDOWN_RECD] = "SHUTDOWN_RECD",
	[SHUTDOWN_ACK_SENT] = "SHUTDOWN_ACK_SENT",
	[HEARTBEAT_SENT] = "HEARTBEAT_SENT",
};

const char *
ct_sctp_state_name(const struct conn *c)
{
	return names[c->sctp.state];
}

bool
ct_sctp_closing(const struct conn *c)
{
	return c->sctp.state >= SHUTDOWN_SENT && c->sctp.state <= SHUTDOWN_ACK_SENT;
}

/* One packet: which chunks it has (only those that a rule asks for), its tag, where its chunks
 * begin. */
struct packet {
	struct ct_packet *k;
	const struct rte_mbuf *m;
	uint32_t vtag; /* network byte order */
	uint32_t first;
	uint32_t has; /* bit per enum chunk */
	bool ignore;  /* it passes, but keeps nothing alive */
};

struct chunk_at {
	uint32_t offset, next;
	uint8_t type, flags;
	uint16_t length; /* network byte order */
};

/* => false: no more, or not a whole header. */
static bool
chunk_read(const struct packet *s, uint32_t offset, struct chunk_at *c)
{
	uint8_t buf[CHUNK_HEADER];
	const uint8_t *at =
		offset < s->m->pkt_len ? rte_pktmbuf_read(s->m, offset, sizeof(buf), buf) : NULL;

	if (!at)
		return false;
	memcpy(&c->length, at + 2, 2);
	c->type = at[0];
	c->flags = at[1];
	c->offset = offset;
	c->next = offset + ((rte_be_to_cpu_16(c->length) + 3u) & ~3u);
	return true;
}

static bool
stands_alone(uint8_t type)
{
	return type == INIT || type == INIT_ACK || type == SHUTDOWN_COMPLETE;
}

/* Chunks that must be alone or first are, and none is empty. => false: INVALID. */
static bool
sane(struct packet *s)
{
	struct chunk_at c;
	uint32_t offset = s->first, n = 0;
	bool alone = false;

	for (; chunk_read(s, offset, &c); offset = c.next, n++) {
		alone |= stands_alone(c.type);
		if ((n > 0 && (alone || c.type == COOKIE_ACK || c.type == COOKIE_ECHO)) ||
			c.length == 0)
			return false;
		if (c.type < MOVING_CHUNKS)
			s->has |= 1u << c.type;
	}
	return n > 0;
}

static uint8_t
moved(enum ct_dir dir, uint8_t state, uint8_t type)
{
	return type < MOVING_CHUNKS && moves & 1u << type ? transitions[dir][type][state] : state;
}

/* The tag that an INIT or INIT ACK gives to the other end. */
static bool
init_tag(const struct packet *s, const struct chunk_at *c, uint32_t *tag)
{
	uint8_t buf[INIT_HEADER];
	const void *at = rte_pktmbuf_read(s->m, c->offset + CHUNK_HEADER, sizeof(buf), buf);

	if (at)
		memcpy(tag, at, 4);
	return at != NULL;
}

static bool
begin_chunk(const struct packet *s, struct conn_sctp *t, const struct chunk_at *c)
{
	uint8_t state = moved(CT_DIR_ORIGINAL, NONE, c->type);

	if (state == NONE || state == STATES)
		return false;
	switch (c->type) {
	case INIT:
		return s->vtag == 0 && init_tag(s, c, &t->vtag[CT_DIR_REPLY]);
	case HEARTBEAT:
		t->vtag[CT_DIR_ORIGINAL] = s->vtag;
		break;
	case SHUTDOWN_ACK:
		t->vtag[CT_DIR_REPLY] = s->vtag;
		break;
	}
	return true;
}

/* => false: no association can begin with it (RFC 9260, 8.4). */
static bool
begin(struct packet *s)
{
	struct conn_sctp *t = &s->k->c->sctp;
	struct chunk_at c;
	uint32_t offset;

	if (s->has & (1 << ABORT | 1 << SHUTDOWN_COMPLETE | 1 << COOKIE_ACK))
		return false;
	memset(t, 0, sizeof(*t));
	for (offset = s->first; chunk_read(s, offset, &c); offset = c.next)
		if (!begin_chunk(s, t, &c))
			return false;
	return true;
}

/* Tag of whoever sends, or with flag T of the receiver. */
static bool
tag_of_either(const struct packet *s, const struct conn_sctp *t, enum ct_dir dir,
	const struct chunk_at *c)
{
	return s->vtag == t->vtag[c->flags & FLAG_T ? !dir : dir];
}

/* A new path of an association that we know (multihoming): the answer will confirm its tag. */
static bool
heartbeat(struct packet *s, struct conn_sctp *t, enum ct_dir dir, bool *skip)
{
	if (t->vtag[dir] == 0) {
		t->vtag[dir] = s->vtag;
	} else if (s->vtag == t->vtag[dir]) {
		t->flags &= (uint8_t)~TAG_DOUBTED;
	} else {
		if (s->has & 1 << DATA || s->ignore)
			return false;
		t->flags |= TAG_DOUBTED;
		t->last_dir = dir;
		s->ignore = *skip = true;
	}
	return true;
}

static bool
heartbeat_ack(const struct packet *s, struct conn_sctp *t, enum ct_dir dir)
{
	if (t->vtag[dir] == 0) {
		t->vtag[dir] = s->vtag;
		return true;
	}
	if (s->vtag != t->vtag[dir]) {
		if (s->has & 1 << DATA || s->ignore || !(t->flags & TAG_DOUBTED) ||
			t->last_dir == dir)
			return false;
		t->vtag[dir] = s->vtag;
		t->vtag[!dir] = 0;
	}
	t->flags &= (uint8_t)~TAG_DOUBTED;
	return true;
}

/* RFC 9260, 8.5.1. => false: INVALID. *skip: the chunk moves nothing. */
static bool
tag_fits(struct packet *s, struct conn_sctp *t, enum ct_dir dir, const struct chunk_at *c,
	bool *skip)
{
	switch (c->type) {
	case INIT:
		return s->vtag == 0;
	case ABORT:
	case SHUTDOWN_COMPLETE:
		return tag_of_either(s, t, dir, c);
	case COOKIE_ECHO:
		return s->vtag == t->vtag[dir];
	case COOKIE_ACK:
		t->init[0] = t->init[1] = 0;
		return true;
	case HEARTBEAT:
		return heartbeat(s, t, dir, skip);
	case HEARTBEAT_ACK:
		return heartbeat_ack(s, t, dir);
	}
	return true;
}

static bool
take_init(struct packet *s, struct conn_sctp *t, enum ct_dir dir, const struct chunk_at *c,
	uint8_t to)
{
	uint32_t tag;

	if (!init_tag(s, c, &tag))
		return false;
	/* One with the tag that is known says nothing new: it is late, or repeated. */
	if (t->state == NONE || t->vtag[!dir] != tag) {
		if (t->init[dir] && t->init[!dir])
			t->init[!dir] = 0;
		t->init[dir] = 1;
		t->vtag[!dir] = tag;
	}
	/* Whoever repeats it does not keep the entry alive by it. */
	if (to == CLOSED && t->state == CLOSED && ct_confirmed(s->k->c))
		s->ignore = true;
	return true;
}

static bool
take_init_ack(
	const struct packet *s, struct conn_sctp *t, enum ct_dir dir, const struct chunk_at *c)
{
	uint32_t tag, known = t->vtag[!dir];

	if (!init_tag(s, c, &tag))
		return false;
	if (known != tag && ((!t->init[!dir] && known) || (t->init[dir] && t->init[!dir])))
		return false;
	t->vtag[!dir] = tag;
	return true;
}

static void
move(struct ct_packet *k, uint8_t to)
{
	if (k->c->sctp.state == to)
		return;
	k->c->sctp.state = to;
	ct_changed(k);
	if (to == ESTABLISHED)
		ct_status_set(k, CT_ASSURED);
}

/* => false: INVALID. *last: the state that the last chunk led to. */
static bool
take_chunk(struct packet *s, const struct chunk_at *c, uint8_t *last)
{
	struct conn_sctp *t = &s->k->c->sctp;
	enum ct_dir dir = ct_packet_dir(s->k);
	bool skip = false;
	uint8_t to;

	if (!tag_fits(s, t, dir, c, &skip))
		return false;
	if (skip)
		return true;
	to = moved(dir, t->state, c->type);
	if (to == STATES)
		return false;
	if ((c->type == INIT && !take_init(s, t, dir, c, to)) ||
		(c->type == INIT_ACK && !take_init_ack(s, t, dir, c)))
		return false;
	*last = to;
	move(s->k, to);
	return true;
}

/* The checksum as it should lie in the header: it counts itself as zero. */
static uint32_t
checksum_of(const struct rte_mbuf *m, uint32_t from, const uint8_t *header)
{
	uint8_t buf[256], start[HEADER];
	uint32_t crc, i, n;

	memcpy(start, header, HEADER);
	memset(start + HEADER - sizeof(crc), 0, sizeof(crc));
	crc = crc32c(~0u, start, HEADER);
	for (i = from + HEADER; i < m->pkt_len; i += n) {
		n = RTE_MIN((uint32_t)sizeof(buf), m->pkt_len - i);
		crc = crc32c(crc, rte_pktmbuf_read(m, i, n, buf), n);
	}
	return rte_cpu_to_le_32(~crc);
}

static bool
open_packet(struct ct_packet *k, struct packet *s)
{
	uint8_t buf[HEADER];
	const uint8_t *h = rte_pktmbuf_read(pkt_mbuf(k->p), k->p->l3_len, sizeof(buf), buf);
	uint32_t sum;

	if (!h)
		return false;
	*s = (struct packet){.k = k, .m = pkt_mbuf(k->p), .first = k->p->l3_len + HEADER};
	memcpy(&s->vtag, h + 4, 4);
	memcpy(&sum, h + 8, 4);
	return !ct_checksum_judged(k) || sum == checksum_of(s->m, k->p->l3_len, h);
}

/* These have rules of their own about the tag. */
static const uint32_t own_tag_rules = 1 << INIT | 1 << SHUTDOWN_COMPLETE | 1 << COOKIE_ECHO |
				      1 << ABORT | 1 << SHUTDOWN_ACK | 1 << HEARTBEAT |
				      1 << HEARTBEAT_ACK;

enum ct_answer
ct_sctp_packet(struct ct_packet *k)
{
	struct packet s;
	struct chunk_at c;
	uint32_t offset;
	uint8_t last = NONE;

	if (!open_packet(k, &s))
		return ct_invalid(k, "short packet or bad CRC");
	if (!sane(&s) || (!ct_confirmed(k->c) && !begin(&s)))
		return ct_invalid(k, "chunks make no sense");
	if (!(s.has & own_tag_rules) && s.vtag != k->c->sctp.vtag[ct_packet_dir(k)])
		return ct_invalid(k, "verification tag check failed");
	for (offset = s.first; chunk_read(&s, offset, &c); offset = c.next)
		if (!take_chunk(&s, &c, &last))
			return ct_invalid(k, "chunk of no state or with a wrong tag");
	if (!s.ignore)
		ct_refresh(k, timeouts[last] * CT_SECOND);
	return CT_PASS;
}
