/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/nat_faults.h"

#include "fabric/base/pkt_chain.h"
#include "nat/state.h"

#include <netinet/in.h>
#include <netinet/ip.h>

static const char *const names[NAT_FAULT_COUNT] = {
	[NAT_FAULT_RANDOM] = "nat random",
	[NAT_FAULT_PERSISTENT] = "nat persistent",
	[NAT_FAULT_BASE] = "nat base port",
	[NAT_FAULT_BASE_BY_ONE] = "nat base by one",
	[NAT_FAULT_FIRST_PORT] = "nat first port",
	[NAT_FAULT_LAST_PORT] = "nat last port",
	[NAT_FAULT_PORTS] = "nat port range",
	[NAT_FAULT_LAST_ADDRESS] = "nat last address",
	[NAT_FAULT_ADDRESSES] = "nat address range",
	[NAT_FAULT_MASQUERADE] = "nat masquerade",
	[NAT_FAULT_NO_NULL] = "nat null binding",
	[NAT_FAULT_SOURCES] = "nat same source",
	[NAT_FAULT_TAKEN] = "nat taken",
	[NAT_FAULT_ZONES] = "nat zones",
	[NAT_FAULT_ONE_WAY] = "nat one way",
	[NAT_FAULT_PORT_KEPT] = "nat port kept",
	[NAT_FAULT_ID_KEPT] = "nat echo id kept",
	[NAT_FAULT_TCP_SUM] = "nat tcp checksum",
	[NAT_FAULT_UDP_SUM] = "nat udp checksum",
	[NAT_FAULT_NO_SUM] = "nat no checksum",
	[NAT_FAULT_SCTP_SUM] = "nat sctp checksum",
	[NAT_FAULT_QUOTE] = "nat quote",
	[NAT_FAULT_QUOTE_SUM] = "nat quote checksum",
	[NAT_FAULT_SHORT_QUOTE] = "nat short quote",
	[NAT_FAULT_ERRORS] = "nat errors",
	[NAT_FAULT_ERROR_ADDRESS] = "nat error address",
	[NAT_FAULT_REPLY] = "nat reply",
};

static unsigned planted = NAT_FAULT_COUNT;
static bool masquerading;

/* What the linker calls instead, and what it stands for. */
#define WRAPPED(type, name, ...)                                                                   \
	type __real_##name(__VA_ARGS__);                                                           \
	type __wrap_##name(__VA_ARGS__)

WRAPPED(enum filter_verdict, nat_masquerade, struct env *env, const struct router *r, struct conn *c, const struct nat_range *range,
	const struct iface *out, const struct ip_addr *nexthop, enum drop_reason *why);
WRAPPED(bool, sources_find, const struct sources *s, const struct nat_choice *k, struct ct_tuple *to);
WRAPPED(struct conn *, conntrack_holder, struct env *env, struct conntrack *ct, const struct conn *c, const struct ct_tuple *t,
	enum ct_dir *dir);
WRAPPED(void, conntrack_alter_reply, struct conn *c, const struct ct_tuple *reply);
WRAPPED(bool, nat_rewrite, struct pkt *p, const struct ct_tuple *to, enum nat_manip manip);
WRAPPED(bool, nat_rewrite_quote, struct pkt *p, const struct ct_tuple *to, enum nat_manip manip);
WRAPPED(void, nat_rewrite_address, struct pkt *p, uint32_t address, enum nat_manip manip);
WRAPPED(enum drop_reason, nat_translate, struct pkt *p, const struct conn *c, enum nat_manip manip);

const char *
nat_fault_name(unsigned i)
{
	return names[i];
}

void
nat_fault_plant(unsigned i)
{
	planted = i;
}

bool
nat_fault_is(enum nat_fault f)
{
	return planted == f;
}

static void
fault_ports(struct nat_range *range)
{
	if (!(range->flags & NF_NAT_RANGE_PROTO_SPECIFIED) || range->min_port >= range->max_port)
		return;
	range->min_port += nat_fault_is(NAT_FAULT_FIRST_PORT);
	range->max_port -= nat_fault_is(NAT_FAULT_LAST_PORT);
	if (nat_fault_is(NAT_FAULT_PORTS))
		range->flags &= ~(uint32_t)NF_NAT_RANGE_PROTO_SPECIFIED;
}

void
nat_fault_range(struct nat_range *range)
{
	static const uint32_t cleared[NAT_FAULT_COUNT + 1] = {
		[NAT_FAULT_RANDOM] = NF_NAT_RANGE_PROTO_RANDOM | NF_NAT_RANGE_PROTO_RANDOM_FULLY,
		[NAT_FAULT_PERSISTENT] = NF_NAT_RANGE_PERSISTENT,
		[NAT_FAULT_BASE] = NF_NAT_RANGE_PROTO_OFFSET,
	};

	range->flags &= ~cleared[planted];
	range->base_port += nat_fault_is(NAT_FAULT_BASE_BY_ONE);
	fault_ports(range);
	if (range->flags & NF_NAT_RANGE_MAP_IPS && range->min_addr != range->max_addr) {
		if (nat_fault_is(NAT_FAULT_LAST_ADDRESS))
			range->max_addr = htonl(ntohl(range->max_addr) - 1);
		else if (nat_fault_is(NAT_FAULT_ADDRESSES))
			range->max_addr = range->min_addr;
	}
	if (masquerading && nat_fault_is(NAT_FAULT_MASQUERADE))
		range->min_addr = range->max_addr = htonl(0x0a000001);
}

enum filter_verdict
__wrap_nat_masquerade(struct env *env, const struct router *r, struct conn *c, const struct nat_range *range, const struct iface *out,
	const struct ip_addr *nexthop, enum drop_reason *why)
{
	enum filter_verdict v;

	masquerading = true;
	v = __real_nat_masquerade(env, r, c, range, out, nexthop, why);
	masquerading = false;
	return v;
}

bool
__wrap_sources_find(const struct sources *s, const struct nat_choice *k, struct ct_tuple *to)
{
	return !nat_fault_is(NAT_FAULT_SOURCES) && __real_sources_find(s, k, to);
}

struct conn *
__wrap_conntrack_holder(struct env *env, struct conntrack *ct, const struct conn *c, const struct ct_tuple *t, enum ct_dir *dir)
{
	struct conn *other = __real_conntrack_holder(env, ct, c, t, dir);

	if (other && nat_fault_is(NAT_FAULT_ZONES) && other->zone)
		return NULL;
	return nat_fault_is(NAT_FAULT_TAKEN) ? NULL : other;
}

void
__wrap_conntrack_alter_reply(struct conn *c, const struct ct_tuple *reply)
{
	struct ct_tuple other = *reply;

	if (nat_fault_is(NAT_FAULT_REPLY))
		other.sport = c->tuple[CT_DIR_REPLY].sport;
	__real_conntrack_alter_reply(c, &other);
}

static void
spoil(struct pkt *p, uint8_t proto, uint32_t at)
{
	if (p->proto == proto && p->l4_len > at)
		((uint8_t *)pkt_l4(p))[at] ^= 1;
}

static void
spoil_sums(struct pkt *p)
{
	if (nat_fault_is(NAT_FAULT_TCP_SUM))
		spoil(p, IPPROTO_TCP, 16);
	if (nat_fault_is(NAT_FAULT_UDP_SUM))
		spoil(p, IPPROTO_UDP, 6);
	if (nat_fault_is(NAT_FAULT_SCTP_SUM))
		spoil(p, IPPROTO_SCTP, 8);
	if (nat_fault_is(NAT_FAULT_NO_SUM) && p->proto == IPPROTO_UDP && p->l4_len == 8 && memcmp((uint8_t *)pkt_l4(p) + 6, "\0\0", 2) == 0)
		memset((uint8_t *)pkt_l4(p) + 6, 0xff, 2);
}

bool
__wrap_nat_rewrite(struct pkt *p, const struct ct_tuple *to, enum nat_manip manip)
{
	struct ct_tuple other = *to;
	bool good;

	if (nat_fault_is(NAT_FAULT_ONE_WAY) && ct_dir(p) == CT_DIR_REPLY)
		return true;
	if (nat_fault_is(NAT_FAULT_PORT_KEPT) && p->proto != IPPROTO_ICMP) {
		other.sport = p->sport;
		other.dport = p->dport;
	}
	if (nat_fault_is(NAT_FAULT_ID_KEPT) && p->proto == IPPROTO_ICMP)
		other.sport = p->dport;
	good = __real_nat_rewrite(p, &other, manip);
	spoil_sums(p);
	return good;
}

bool
__wrap_nat_rewrite_quote(struct pkt *p, const struct ct_tuple *to, enum nat_manip manip)
{
	bool good;

	if (nat_fault_is(NAT_FAULT_QUOTE))
		return true;
	if (nat_fault_is(NAT_FAULT_SHORT_QUOTE) && pkt_len(p) < 76)
		return false;
	good = __real_nat_rewrite_quote(p, to, manip);
	if (nat_fault_is(NAT_FAULT_QUOTE_SUM))
		spoil(p, IPPROTO_ICMP, 2);
	return good;
}

void
__wrap_nat_rewrite_address(struct pkt *p, uint32_t address, enum nat_manip manip)
{
	if (!nat_fault_is(NAT_FAULT_ERROR_ADDRESS))
		__real_nat_rewrite_address(p, address, manip);
}

enum drop_reason
__wrap_nat_translate(struct pkt *p, const struct conn *c, enum nat_manip manip)
{
	if (nat_fault_is(NAT_FAULT_ERRORS) && p->ct_info % CT_REPLY == CT_RELATED && p->proto == IPPROTO_ICMP)
		return DROP_NONE;
	return __real_nat_translate(p, c, manip);
}
