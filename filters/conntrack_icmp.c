/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP: questions with an answer, and errors about other connections (nf_conntrack_proto_icmp.c).
 */
#include "filters/conntrack_table.h"

#include <netinet/ip_icmp.h>

enum { TYPE_MAX = 18, HEADER = 8 };

static bool
asks(unsigned type)
{
	return type == ICMP_ECHO || type == ICMP_TIMESTAMP || type == ICMP_INFO_REQUEST ||
	       type == ICMP_ADDRESS;
}

enum ct_answer
ct_icmp_packet(struct ct_packet *k)
{
	if (!asks(k->c->tuple[CT_DIR_ORIGINAL].dport >> 8))
		return CT_INVALID;
	ct_refresh(k, tune_seconds(ct_tunables(k), TUNE_CT_ICMP));
	return CT_PASS;
}

static bool
is_error(unsigned type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

/*
 * The packet inside is one of a connection as it was sent; what is looked up is its answer. That
 * one's destination has to be who the error is for, else anybody could have it pass for RELATED.
 */
static enum ct_answer
relate(struct ct_packet *k)
{
	struct conntrack *ct = k->ct;
	struct pkt *p = k->p;
	struct ct_tuple sent, answer;
	enum ct_dir dir;
	uint32_t link;

	if (!ct_tuple_at(pkt_mbuf(p), p->l3_len + HEADER, &sent) ||
		!ct_tuple_invert(&sent, &answer))
		return CT_INVALID;
	link = ct_lookup(
		ct, k->env, k->env->now, &answer, p->ct_zone, p->ct_zone_dir ? p->ct_zone_dir : 3);
	if (!link)
		return CT_INVALID;
	dir = link & 1;
	k->c = conn_at(ct, link >> 1);
	if (k->c->tuple[dir].dst.v4 != pkt_ip4(p)->daddr) {
		k->c = NULL;
		return ct_invalid(k, "ICMP error for another than its connection's");
	}
	k->info = (uint8_t)(CT_RELATED + (dir == CT_DIR_REPLY ? CT_REPLY : 0));
	return CT_PASS;
}

enum ct_answer
ct_icmp_error(struct ct_packet *k)
{
	uint8_t buf[HEADER];
	const uint8_t *icmp = rte_pktmbuf_read(pkt_mbuf(k->p), k->p->l3_len, sizeof(buf), buf);

	k->c = NULL;
	if (!icmp)
		return ct_invalid(k, "short packet");
	if (ct_checksum_bad(k, 0, pkt_len(k->p) - k->p->l3_len))
		return ct_invalid(k, "bad hw icmp checksum");
	if (icmp[0] > TYPE_MAX)
		return ct_invalid(k, "invalid icmp type");
	return is_error(icmp[0]) ? relate(k) : CT_PASS;
}
