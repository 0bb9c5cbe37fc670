/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP and UDP-Lite (nf_conntrack_proto_udp.c), GRE (nf_conntrack_proto_gre.c). */
#include "filters/conntrack_table.h"

#include <netinet/udp.h>

/* Of GRE Linux has other times than of UDP; they are no tunables of ours. */
static const uint64_t GRE_TIME = 30 * 1000000000ull, GRE_STREAM_TIME = 180 * 1000000000ull;

static bool
read_header(const struct pkt *p, struct udphdr *h)
{
	struct udphdr buf;
	const void *at = rte_pktmbuf_read(pkt_mbuf(p), p->l3_len, sizeof(buf), &buf);

	if (at)
		memcpy(h, at, sizeof(*h));
	return at != NULL;
}

static enum ct_answer
check_udp(const struct ct_packet *k)
{
	uint32_t have = pkt_len(k->p) - k->p->l3_len;
	struct udphdr h;

	if (!read_header(k->p, &h))
		return ct_invalid(k, "short packet");
	/* The length field of a super-packet may be of one segment or, past 64 KB, nothing. */
	if (!pkt_is_gso(k->p) && (ntohs(h.len) > have || ntohs(h.len) < sizeof(h)))
		return ct_invalid(k, "truncated/malformed packet");
	if (h.check != 0 && ct_checksum_bad(k, IPPROTO_UDP, have))
		return ct_invalid(k, "bad checksum");
	return CT_PASS;
}

enum ct_answer
ct_udp_packet(struct ct_packet *k)
{
	const struct tunables *t = ct_tunables(k);
	struct conn *c = k->c;
	bool stream;

	if (check_udp(k) == CT_INVALID)
		return CT_INVALID;
	if (!ct_confirmed(c))
		c->udp.stream_since = k->env->now + 2 * CT_SECOND;
	if (!(c->status & CT_SEEN_REPLY)) {
		ct_refresh(k, tune_seconds(t, TUNE_CT_UDP));
		return CT_PASS;
	}
	stream = k->env->now > c->udp.stream_since;
	ct_refresh(k, tune_seconds(t, stream ? TUNE_CT_UDP_STREAM : TUNE_CT_UDP));
	if (stream && !(c->status & CT_NAT_CLASH))
		ct_status_set(k, CT_ASSURED);
	return CT_PASS;
}

/* A connection is one as soon as both sides have spoken. */
static void
two_sided(struct ct_packet *k, uint64_t alone, uint64_t both)
{
	if (!(k->c->status & CT_SEEN_REPLY)) {
		ct_refresh(k, alone);
		return;
	}
	ct_refresh(k, both);
	if (!(k->c->status & CT_NAT_CLASH))
		ct_status_set(k, CT_ASSURED);
}

enum ct_answer
ct_udplite_packet(struct ct_packet *k)
{
	const struct tunables *t = ct_tunables(k);
	uint32_t have = pkt_len(k->p) - k->p->l3_len, coverage;
	struct udphdr h;

	if (!read_header(k->p, &h))
		return ct_invalid(k, "short packet");
	coverage = ntohs(h.len) ? ntohs(h.len) : have;
	if (coverage < sizeof(h) || coverage > have)
		return ct_invalid(k, "invalid checksum coverage");
	if (h.check == 0)
		return ct_invalid(k, "checksum missing");
	/* The pseudo-header is taken for UDP's, as there. */
	if (ct_checksum_bad(k, IPPROTO_UDP, coverage))
		return ct_invalid(k, "bad checksum");
	two_sided(k, tune_seconds(t, TUNE_CT_UDP), tune_seconds(t, TUNE_CT_UDP_STREAM));
	return CT_PASS;
}

enum ct_answer
ct_gre_packet(struct ct_packet *k)
{
	two_sided(k, GRE_TIME, GRE_STREAM_TIME);
	return CT_PASS;
}
