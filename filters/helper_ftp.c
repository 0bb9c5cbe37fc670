/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FTP (nf_conntrack_ftp.c without its switch `loose`, nf_nat_ftp.c).
 *
 * A segment is read only if a line begins with it, and that is known only from the segments before:
 * of each direction the last two sequence numbers are kept that came behind an end of line. So
 * nobody gets a port opened by a text within a text, and a segment that is sent again is read again.
 * An address that is not the sender's own opens nothing.
 *
 * Differences to the kernel: numbers have to fit (helper_ftp_text.c), of a segment's first line
 * FTP_LINE bytes are looked at, and a segment that is sent again says the same port as before, even
 * if another would be free now: else its length could differ from what the receiver already has.
 */
#include "filters/helper_ftp.h"
#include "filters/conntrack_tcp.h"
#include "filters/helper.h"

#include "fabric/base/pkt_chain.h"

#include <rte_byteorder.h>

enum { LINES = 2 };

struct ftp {
	struct {
		uint32_t line[LINES]; /* where lines begin */
		uint8_t lines;
		uint32_t said_at; /* the last rewritten text, */
		uint16_t port;    /* what it said, */
		uint16_t said;    /* and says now; 0: none */
	} side[2];
};

static_assert(sizeof(struct ftp) <= sizeof(((struct conn_help *)NULL)->memory), "it has room");

static bool
line_begins(const struct ftp *f, enum ct_dir dir, uint32_t seq)
{
	unsigned i;

	for (i = 0; i < f->side[dir].lines; i++)
		if (f->side[dir].line[i] == seq)
			return true;
	return false;
}

static void
note_line(struct ftp *f, enum ct_dir dir, uint32_t seq)
{
	uint32_t *line = f->side[dir].line;

	if (line_begins(f, dir, seq))
		return;
	if (f->side[dir].lines < LINES)
		line[f->side[dir].lines++] = seq;
	else
		line[seq_before(line[0], line[1]) ? 0 : 1] = seq;
}

static enum drop_reason
rewrite(struct helper_packet *k, struct ct_expected *e, const struct ftp_address *a, uint32_t seq)
{
	struct ftp *f = k->memory;
	bool again = f->side[k->dir].said && f->side[k->dir].said_at == seq &&
		     f->side[k->dir].port == a->port;
	char text[FTP_TEXT];
	enum drop_reason why;
	uint16_t port;

	port = helper_expect_translated(k, e, again ? f->side[k->dir].said : 0);
	if (port == 0)
		return DROP_HELPER_EXPECT;
	why = helper_rewrite(k, a->at, a->len, text,
		ftp_write(a->form, e->tuple.dst.v4, port, text));
	if (why)
		conntrack_unexpect(k->env, k->ct, k->c, &e->tuple);
	f->side[k->dir].said_at = seq;
	f->side[k->dir].port = a->port;
	f->side[k->dir].said = port;
	return why;
}

/* The data connection comes from the other end of the control connection to this one. */
static enum drop_reason
expect(struct helper_packet *k, const struct ftp_address *a, uint32_t seq)
{
	const struct ct_tuple *other = &k->c->tuple[!k->dir];
	struct ct_expected e = {.tuple = *other, .port = htons(a->port)};

	if (a->port == 0 || (a->has_addr && a->addr != k->c->tuple[k->dir].src.v4))
		return DROP_NONE;
	e.tuple.sport = 0;
	e.tuple.dport = e.port;
	if (k->translate)
		return rewrite(k, &e, a, seq);
	return helper_expect(k, &e) < 0 ? DROP_HELPER_EXPECT : DROP_NONE;
}

static enum drop_reason
read_line(struct helper_packet *k, uint32_t off, uint32_t seq)
{
	struct ftp_address a;
	char text[FTP_LINE];
	uint32_t len = pkt_chain_read(k->p, off, text, sizeof(text));

	switch (ftp_find(text, len, k->dir, &a)) {
	case FTP_FOUND:
		return expect(k, &a, seq);
	case FTP_PARTIAL:
		return DROP_HELPER_PARTIAL;
	default:
		return DROP_NONE;
	}
}

enum drop_reason
helper_ftp(struct helper_packet *k)
{
	uint32_t off = (uint32_t)k->p->l3_len + k->p->l4_len, len = pkt_len(k->p) - off, seq;
	enum drop_reason why = DROP_NONE;
	struct tcphdr h;
	char last;

	if (k->p->ct_info % CT_REPLY != CT_ESTABLISHED || k->p->l4_len == 0 || len == 0)
		return DROP_NONE;
	memcpy(&h, pkt_l4(k->p), sizeof(h));
	seq = rte_be_to_cpu_32(h.seq);
	pkt_chain_read(k->p, off + len - 1, &last, 1);
	if (line_begins(k->memory, k->dir, seq))
		why = read_line(k, off, seq);
	if (why == DROP_NONE && last == '\n')
		note_line(k->memory, k->dir, seq + len);
	return why;
}
