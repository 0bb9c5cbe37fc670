/* SPDX-License-Identifier: GPL-2.0-or-later */
/* REJECT (net/ipv4/netfilter/ipt_REJECT.c, nf_reject_ipv4.c): drops, and tells the sender. */
#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "filters/conntrack.h"
#include "filters/extensions.h"
#include "routing/icmp.h"
#include "routing/tcp_reset.h"

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

/* Codes of "destination unreachable"; -1: none. */
static const int8_t codes[] = {
	[IPT_ICMP_NET_UNREACHABLE] = ICMP_NET_UNREACH,
	[IPT_ICMP_HOST_UNREACHABLE] = ICMP_HOST_UNREACH,
	[IPT_ICMP_PROT_UNREACHABLE] = ICMP_PROT_UNREACH,
	[IPT_ICMP_PORT_UNREACHABLE] = ICMP_PORT_UNREACH,
	[IPT_ICMP_ECHOREPLY] = -1,
	[IPT_ICMP_NET_PROHIBITED] = ICMP_NET_ANO,
	[IPT_ICMP_HOST_PROHIBITED] = ICMP_HOST_ANO,
	[IPT_TCP_RESET] = -1,
	[IPT_ICMP_ADMIN_PROHIBITED] = ICMP_PKT_FILTERED,
};

static int
check_reject(const struct ext_check *c, const void *options, void **prepared)
{
	const struct ipt_reject_info *info = options;

	(void)prepared;
	if (info->with == IPT_ICMP_ECHOREPLY)
		return ext_refuse(c, "ECHOREPLY no longer supported");
	if ((unsigned)info->with >= RTE_DIM(codes))
		return ext_refuse(c, "unknown reject type %u", (unsigned)info->with);
	if (info->with == IPT_TCP_RESET &&
		(c->rule->proto != IPPROTO_TCP || c->rule->flags & RULE_NOT_PROTO))
		return ext_refuse(c, "TCP_RESET invalid for non-tcp");
	return 0;
}

/*
 * As nf_ip_checksum() sums it: the packet from its IP header on, by its length, a first fragment
 * too. The IP header adds up to nothing, but to a nothing that makes an empty or zero payload
 * right.
 */
static bool
sum_holds(const struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);
	uint16_t len = (uint16_t)(pkt_len(p) - p->l3_len);
	uint64_t sum = 0;

	if (p->flags & (PKT_CSUM_PARTIAL | PKT_CSUM_VALID))
		return true;
	if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP)
		sum = csum_pseudo4(ip->saddr, ip->daddr, p->proto, len);
	return csum_fold(pkt_chain_sum(p, 0, pkt_len(p), sum)) == 0xffff;
}

/* Protocols whose checksum may be left out, covers a part, or is another one are answered unseen
 * (nf_reject_verify_csum()). */
static bool
has_checksum(const struct pkt *p)
{
	struct udphdr udp;

	switch (p->proto) {
	case IPPROTO_UDP:
		return pkt_chain_read(p, p->l3_len, &udp, sizeof(udp)) < sizeof(udp) || udp.check;
	case IPPROTO_GRE:
	case IPPROTO_AH:
	case IPPROTO_ESP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP:
		return false;
	}
	return true;
}

/* From nobody to nobody is a broadcast (ip_route_input_slow()). */
static bool
is_to_many(const struct router *r, uint32_t src, uint32_t dst)
{
	struct ip_addr a = ip4(dst);

	return dst == INADDR_BROADCAST || (src == 0 && dst == 0) || ip4_is_multicast(dst) ||
	       fib_addr_type(r->fib, &a) == ROUTE_BROADCAST;
}

/* The kernel's ICMP answers nothing to what it is itself about to send: its socket is taken (icmp_xmit_lock()). */
static bool
is_own_icmp(const struct filter_ctx *c)
{
	uint8_t type = (uint8_t)(ntohs(c->p->sport) >> 8);

	if (c->hook != RULES_OUTPUT || c->p->proto != IPPROTO_ICMP || !c->p->l4_len)
		return false;
	return type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMPREPLY || type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

static enum filter_verdict
run_reject(struct filter_ctx *c, const void *options, void *state)
{
	const struct ipt_reject_info *info = options;
	struct pkt *p = c->p;

	(void)state;
	c->why = DROP_REJECT;
	if (p->family != AF_INET || p->flags & PKT_LATER_FRAGMENT)
		return FILTER_DROP;
	if (info->with == IPT_TCP_RESET) {
		if (!is_to_many(c->router, pkt_ip4(p)->saddr, pkt_ip4(p)->daddr) && sum_holds(p) && tcp_reject(c->env, c->router, p))
			conntrack_set_closing(c->env, c->router, p);
	} else if (!is_own_icmp(c) && (!has_checksum(p) || sum_holds(p))) {
		icmp_error(c->env, c->router, p, ICMP_DEST_UNREACH, (uint8_t)codes[info->with], 0);
	}
	return FILTER_DROP;
}

const struct target_ops target_reject[] = {
	{
		.name = "REJECT",
		.size = XT_ALIGN(sizeof(struct ipt_reject_info)),
		.tables = 1 << TABLE_FILTER,
		.hooks = 1 << RULES_INPUT | 1 << RULES_FORWARD | 1 << RULES_OUTPUT,
		.check = check_reject,
		.run = run_reject,
	},
	{0},
};
