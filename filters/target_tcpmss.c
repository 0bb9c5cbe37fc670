/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -j TCPMSS, as net/netfilter/xt_TCPMSS.c but for one thing: where the option begins at an odd
 * place (after a single no-operation) the kernel leaves a wrong TCP checksum, and here it is right.
 */
#include "fabric/base/csum.h"
#include "filters/extensions.h"

#include <arpa/inet.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_TCPMSS.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <netinet/tcp.h>

enum {
	TCP_HEADER = 20,
	TCP_HEADER_MAX = 60,
	HEADERS = 40, /* IPv4 and TCP, without options */
	MSS_LEN = 4,
	MSS_ASSUMED = 536, /* of who sends none: RFC 9293 3.7.1 */
	MTU_MAX = 65535,
};

/*
 * What the way back to the source takes. A source of this router's own is no limit: the way there
 * is the loopback.
 */
static uint32_t
reverse_mtu(const struct filter_ctx *c)
{
	const struct route_key key = {.dst = ip4(pkt_ip4(c->p)->saddr)};
	struct route_result back;
	const struct iface *out;

	if (fib_lookup(c->router->fib, &key, &back) < 0 || !back.hop ||
		back.route->type == ROUTE_LOCAL)
		return MTU_MAX;
	out = router_iface(c->router, back.hop->oif);
	if (!out)
		return MTU_MAX;
	return back.route->mtu && back.route->mtu < out->mtu ? back.route->mtu : out->mtu;
}

/* The option's offset in the TCP header; 0: none. */
static uint32_t
find_mss(const uint8_t *tcp, uint32_t header)
{
	uint32_t i = TCP_HEADER;

	while (i + MSS_LEN <= header) {
		if (tcp[i] == TCPOPT_MAXSEG && tcp[i + 1] == TCPOLEN_MAXSEG)
			return i;
		i += tcp[i] <= TCPOPT_NOP || tcp[i + 1] == 0 ? 1 : tcp[i + 1];
	}
	return 0;
}

static void
lower_mss(struct pkt *p, uint8_t *option, bool odd, uint16_t mss)
{
	struct tcphdr *tcp = pkt_l4(p);
	uint16_t old, new = htons(mss);

	memcpy(&old, option + 2, sizeof(old));
	if (ntohs(old) <= mss)
		return;
	memcpy(option + 2, &new, sizeof(new));
	if (p->flags & PKT_CSUM_PARTIAL)
		return;
	if (odd)
		tcp->check = csum_replace2(tcp->check, rte_bswap16(old), rte_bswap16(new));
	else
		tcp->check = csum_replace2(tcp->check, old, new);
}

/* Brings the TCP checksum up to date: the header is now `len` bytes, four more than before. */
static void
checksum_grown(struct pkt *p, struct tcphdr *tcp, uint32_t option, uint16_t old_word, uint16_t len)
{
	uint16_t new_word;

	if (p->flags & PKT_CSUM_PARTIAL) {
		tcp->check = csum_fold((uint64_t)tcp->check +
				       (uint16_t)~htons((uint16_t)(len - MSS_LEN)) + htons(len));
		return;
	}
	memcpy(&new_word, (uint8_t *)tcp + 12, sizeof(new_word));
	tcp->check = csum_replace2(tcp->check, htons((uint16_t)(len - MSS_LEN)), htons(len));
	tcp->check = csum_replace4(tcp->check, 0, option);
	tcp->check = csum_replace2(tcp->check, old_word, new_word);
}

/* Moves all headers, the frame's too, four bytes to the front. => false: there is no room. */
static bool
make_room(struct pkt *p)
{
	uint16_t l2 = p->flags & PKT_HAS_L2 ? p->l2_len : 0;
	uint8_t *from = (uint8_t *)pkt_data(p) - l2;

	if (rte_pktmbuf_headroom(pkt_mbuf(p)) < l2 + MSS_LEN)
		return false;
	memmove(from - MSS_LEN, from, (size_t)l2 + p->l3_len + TCP_HEADER);
	rte_pktmbuf_prepend(pkt_mbuf(p), MSS_LEN);
	return true;
}

/* Only to a packet that ends with its header, so that nothing else has to move. */
static bool
add_mss(struct pkt *p, uint16_t mss)
{
	const uint8_t bytes[MSS_LEN] = {
		TCPOPT_MAXSEG, TCPOLEN_MAXSEG, (uint8_t)(mss >> 8), (uint8_t)mss};
	struct iphdr *ip;
	struct tcphdr *tcp;
	uint16_t old_word, total;
	uint32_t option;

	if (!make_room(p))
		return false;
	p->l4_len += MSS_LEN;
	ip = pkt_ip4(p);
	total = htons((uint16_t)(ntohs(ip->tot_len) + MSS_LEN));
	ip->check = csum_replace2(ip->check, ip->tot_len, total);
	ip->tot_len = total;
	tcp = pkt_l4(p);
	memcpy(tcp + 1, bytes, sizeof(bytes));
	memcpy(&option, bytes, sizeof(option));
	memcpy(&old_word, (uint8_t *)tcp + 12, sizeof(old_word));
	tcp->doff = (p->l4_len / 4) & 15;
	checksum_grown(p, tcp, option, old_word, p->l4_len);
	return true;
}

static enum filter_verdict
drop_as(struct filter_ctx *c, enum drop_reason why)
{
	c->why = why;
	return FILTER_DROP;
}

static enum filter_verdict
tcpmss_run(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_tcpmss_info *o = options;
	struct pkt *p = c->p;
	uint32_t at, mss = o->mss;
	uint8_t *tcp;

	(void)state;
	if (!c->l4)
		return FILTER_CONTINUE;
	if (p->l4_len == 0)
		return drop_as(c, DROP_RULE_MALFORMED);
	if (mss == XT_TCPMSS_CLAMP_PMTU) {
		mss = RTE_MIN(RTE_MIN(p->mtu, reverse_mtu(c)), (uint32_t)MTU_MAX);
		if (mss <= HEADERS)
			return drop_as(c, DROP_MTU);
		mss -= HEADERS;
	}
	tcp = pkt_l4(p);
	at = find_mss(tcp, p->l4_len);
	if (at) {
		lower_mss(p, tcp + at, at & 1, (uint16_t)mss);
		return FILTER_CONTINUE;
	}
	if (pkt_len(p) > (uint32_t)p->l3_len + p->l4_len || p->l4_len >= TCP_HEADER_MAX)
		return FILTER_CONTINUE;
	return add_mss(p, (uint16_t)RTE_MIN(mss, (uint32_t)MSS_ASSUMED))
		       ? FILTER_CONTINUE
		       : drop_as(c, DROP_NO_BUFFER);
}

/* True when the rule lets SYN segments through only, by a tcp match. */
static bool
rule_wants_syn(const struct rules_rule *r)
{
	unsigned i;

	for (i = 0; i < r->n_matches; i++) {
		const struct xt_tcp *o = (const void *)r->matches[i].data;

		if (strcmp(r->matches[i].name, "tcp") == 0 && r->matches[i].size >= sizeof(*o) &&
			o->flg_cmp & TH_SYN && !(o->invflags & XT_TCP_INV_FLAGS))
			return true;
	}
	return false;
}

static int
tcpmss_check(const struct ext_check *c, const void *options, void **prepared)
{
	const uint32_t way_known = 1 << RULES_FORWARD | 1 << RULES_OUTPUT | 1 << RULES_POSTROUTING;
	const struct xt_tcpmss_info *o = options;

	(void)prepared;
	if (o->mss == XT_TCPMSS_CLAMP_PMTU && c->hooks & ~way_known)
		return ext_refuse(c,
			"--clamp-mss-to-pmtu is possible in FORWARD, OUTPUT and POSTROUTING only");
	if (!rule_wants_syn(c->rule))
		return ext_refuse(c,
			"works on SYN segments only: the rule needs --syn or --tcp-flags with SYN");
	return 0;
}

const struct target_ops target_tcpmss[] = {
	{
		.name = "TCPMSS",
		.size = XT_ALIGN(sizeof(struct xt_tcpmss_info)),
		.reads = READS_NEVER,
		.proto = IPPROTO_TCP,
		.check = tcpmss_check,
		.run = tcpmss_run,
	},
	{0},
};
