/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequence numbers of a TCP connection whose payload was rewritten with another length
 * (nf_conntrack_seqadj.c). Each direction remembers one place: what was sent before it is moved by
 * `before`, what comes after it by `after`. The window (conntrack_tcp_window.c) stays in the
 * numbers of the senders.
 */
#include "filters/conntrack_tcp.h"

#include "fabric/base/csum.h"

#include <rte_byteorder.h>

enum { SEQ_AT = 4, ACK_AT = 8, OPTIONS_AT = 20, SACK_EDGE = 4, SACK_PAIR = 8 };
enum { OPT_EOL, OPT_NOP, OPT_SACK = 5 };

int32_t
ct_seq_offset(const struct conn *c, enum ct_dir dir, uint32_t seq)
{
	const struct seq_adjust *way;

	if (!c->help)
		return 0;
	way = &c->help->adjust[dir];
	return seq_after(seq, way->at) ? way->after : way->before;
}

void
ct_seq_move(struct conn *c, enum ct_dir dir, uint32_t seq, int32_t by)
{
	struct seq_adjust *way = &c->help->adjust[dir];

	if (by == 0)
		return;
	c->status |= CT_SEQ_ADJUST;
	/* Not for what was resent: it has moved the rest already. */
	if (way->before != way->after && !seq_before(way->at, seq))
		return;
	way->at = seq;
	way->before = way->after;
	way->after += by;
}

static void
add(uint8_t *at, uint32_t by)
{
	uint32_t be;

	memcpy(&be, at, sizeof(be));
	be = rte_cpu_to_be_32(rte_be_to_cpu_32(be) + by);
	memcpy(at, &be, sizeof(be));
}

/* A number of the other direction, as that direction's receiver knows it, back to its sender's. */
static void
give_back(uint8_t *at, const struct seq_adjust *other)
{
	uint32_t be, seq;

	memcpy(&be, at, sizeof(be));
	seq = rte_be_to_cpu_32(be) - (uint32_t)other->before;
	add(at, -(uint32_t)(seq_after(seq, other->at) ? other->after : other->before));
}

static bool
adjust_sack(uint8_t *tcp, unsigned len, const struct seq_adjust *other)
{
	unsigned at = OPTIONS_AT, edge;

	while (at < len && tcp[at] != OPT_EOL) {
		if (tcp[at] == OPT_NOP) {
			at++;
			continue;
		}
		if (at + 1 == len || tcp[at + 1] < 2 || at + tcp[at + 1] > len)
			return false;
		if (tcp[at] == OPT_SACK && (tcp[at + 1] - 2) % SACK_PAIR == 0)
			for (edge = at + 2; edge < at + tcp[at + 1]; edge += SACK_EDGE)
				give_back(tcp + edge, other);
		at += tcp[at + 1];
	}
	return true;
}

bool
ct_seq_adjust(struct pkt *p, const struct conn *c)
{
	enum ct_dir dir = ct_dir(p);
	const struct seq_adjust *other = &c->help->adjust[!dir];
	uint8_t *tcp = pkt_l4(p);
	struct tcphdr h;
	uint16_t was, is;
	bool whole;

	memcpy(&h, tcp, sizeof(h));
	was = csum_fold(csum_add(0, tcp, p->l4_len));
	add(tcp + SEQ_AT, (uint32_t)ct_seq_offset(c, dir, rte_be_to_cpu_32(h.seq)));
	if (h.ack)
		give_back(tcp + ACK_AT, other);
	whole = adjust_sack(tcp, p->l4_len, other);
	is = csum_fold(csum_add(0, tcp, p->l4_len));
	if (!(p->flags & PKT_CSUM_PARTIAL)) {
		h.check = csum_replace2(h.check, was, is);
		memcpy(tcp + offsetof(struct tcphdr, check), &h.check, sizeof(h.check));
	}
	return whole;
}
