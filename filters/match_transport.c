/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Matches on layer 4 headers. The rules are those of net/netfilter/xt_tcpudp.c, xt_multiport.c and
 * xt_tcpmss.c: a header that is asked for and is not all there condemns the packet, whatever the
 * rule says.
 */
#include "filters/extensions.h"

#include <arpa/inet.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_tcpmss.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>

enum {
	TCP_HEADER = 20,
	TCP_OPTIONS_MAX = 40,
	TCP_FLAGS_AT = 13,
	PATH_FLAGS = 0x17, /* SYN, ACK, FIN, RST: what a path knows of its packets (recorder.h) */
	UDP_HEADER = 8,
	ICMP_HEADER = 8,
	PORTS = 4,
	OPTION_MSS = 2,
	OPTION_MSS_LEN = 4,
	ICMP_ANY_TYPE = 255,
};

/* The first `len` bytes of layer 4. => NULL: they are not there, and the packet is condemned. */
static const uint8_t *
l4_head(struct filter_ctx *c, uint32_t len, void *buf)
{
	const uint8_t *at = filter_bytes(c, c->p->l3_len, len, buf);

	if (!at)
		c->malformed = true;
	return at;
}

static uint16_t
word_at(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static bool
port_within(const uint16_t range[2], uint16_t port, bool invert)
{
	return (port >= range[0] && port <= range[1]) != invert;
}

/*
 * The options of a TCP header, *len bytes, perhaps none. => NULL: its length is impossible or it is
 * cut off, and the packet is condemned.
 */
static const uint8_t *
tcp_options(struct filter_ctx *c, const uint8_t *tcp, uint8_t *buf, uint32_t *len)
{
	uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;
	const uint8_t *at = NULL;

	if (header >= TCP_HEADER) {
		*len = header - TCP_HEADER;
		at = *len ? filter_bytes(c, c->p->l3_len + TCP_HEADER, *len, buf) : buf;
	}
	if (!at)
		c->malformed = true;
	return at;
}

/*
 * How far it is to the next option. Without a usable length it is one byte, so that every walk
 * ends.
 */
static uint32_t
option_step(const uint8_t *options, uint32_t at, uint32_t len)
{
	if (options[at] < 2 || at + 1 == len || options[at + 1] == 0)
		return 1;
	return options[at + 1];
}

static bool
tcp_option_matches(struct filter_ctx *c, const struct xt_tcp *o, const uint8_t *tcp)
{
	bool invert = o->invflags & XT_TCP_INV_OPTION;
	uint8_t buf[TCP_OPTIONS_MAX];
	const uint8_t *options;
	uint32_t i, len;

	record_refuse(c->p->recorder, "a rule looks at TCP options");
	options = tcp_options(c, tcp, buf, &len);
	if (!options)
		return false;
	for (i = 0; i < len; i += option_step(options, i, len))
		if (options[i] == o->option)
			return !invert;
	return invert;
}

static bool
tcp_flags_match(const struct filter_ctx *c, const struct xt_tcp *o, const uint8_t *tcp)
{
	if (o->flg_mask & ~PATH_FLAGS)
		record_guard(c->p->recorder, GUARD_TCP_FLAGS);
	return ((tcp[TCP_FLAGS_AT] & o->flg_mask) == o->flg_cmp) !=
	       !!(o->invflags & XT_TCP_INV_FLAGS);
}

static bool
tcp_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_tcp *o = options;
	uint8_t buf[TCP_HEADER];
	const uint8_t *tcp;

	(void)state;
	if (!c->l4) {
		/* one that would overwrite the flags of the first */
		if ((ntohs(pkt_ip4(c->p)->frag_off) & IP_OFFMASK) == 1)
			c->malformed = true;
		return false;
	}
	tcp = l4_head(c, TCP_HEADER, buf);
	return tcp && port_within(o->spts, word_at(tcp), o->invflags & XT_TCP_INV_SRCPT) &&
	       port_within(o->dpts, word_at(tcp + 2), o->invflags & XT_TCP_INV_DSTPT) &&
	       tcp_flags_match(c, o, tcp) && (!o->option || tcp_option_matches(c, o, tcp));
}

static int
tcp_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_tcp *o = options;

	(void)prepared;
	return o->invflags & ~XT_TCP_INV_MASK
		       ? ext_refuse(c, "unknown inversions 0x%x", o->invflags)
		       : 0;
}

static bool
udp_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_udp *o = options;
	uint8_t buf[UDP_HEADER];
	const uint8_t *udp;

	(void)state;
	if (!c->l4)
		return false;
	udp = l4_head(c, UDP_HEADER, buf);
	return udp && port_within(o->spts, word_at(udp), o->invflags & XT_UDP_INV_SRCPT) &&
	       port_within(o->dpts, word_at(udp + 2), o->invflags & XT_UDP_INV_DSTPT);
}

static int
udp_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_udp *o = options;

	(void)prepared;
	return o->invflags & ~XT_UDP_INV_MASK
		       ? ext_refuse(c, "unknown inversions 0x%x", o->invflags)
		       : 0;
}

static bool
icmp_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct ipt_icmp *o = options;
	uint8_t buf[ICMP_HEADER];
	const uint8_t *icmp;
	bool same;

	(void)state;
	if (!c->l4)
		return false;
	icmp = l4_head(c, ICMP_HEADER, buf);
	if (!icmp)
		return false;
	same = o->type == ICMP_ANY_TYPE ||
	       (icmp[0] == o->type && icmp[1] >= o->code[0] && icmp[1] <= o->code[1]);
	return same != !!(o->invflags & IPT_ICMP_INV);
}

static int
icmp_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct ipt_icmp *o = options;

	(void)prepared;
	return o->invflags & ~IPT_ICMP_INV ? ext_refuse(c, "unknown inversions 0x%x", o->invflags)
					   : 0;
}

static bool
multiport_holds(const struct xt_multiport_v1 *o, uint16_t port)
{
	unsigned i;

	for (i = 0; i < o->count; i++) {
		uint16_t first = o->ports[i], last = first;

		if (o->pflags[i])
			last = o->ports[++i];
		if (port >= first && port <= last)
			return true;
	}
	return false;
}

static bool
multiport_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_multiport_v1 *o = options;
	uint8_t buf[PORTS];
	const uint8_t *ports;
	bool found = false;

	(void)state;
	if (!c->l4)
		return false;
	ports = l4_head(c, PORTS, buf);
	if (!ports)
		return false;
	if (o->flags != XT_MULTIPORT_DESTINATION)
		found = multiport_holds(o, word_at(ports));
	if (o->flags != XT_MULTIPORT_SOURCE)
		found = found || multiport_holds(o, word_at(ports + 2));
	return found != !!o->invert;
}

static bool
has_ports(uint16_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_UDPLITE ||
	       proto == IPPROTO_SCTP || proto == IPPROTO_DCCP;
}

static int
multiport_check(const struct ext_check *c, const void *options, void **prepared)
{
	const struct xt_multiport_v1 *o = options;
	unsigned i;

	(void)prepared;
	if (!has_ports(c->rule->proto) || c->rule->flags & RULE_NOT_PROTO)
		return ext_refuse(c, "needs -p tcp, udp, udplite, sctp or dccp");
	if (o->flags > XT_MULTIPORT_EITHER)
		return ext_refuse(c, "unknown kind of ports %u", o->flags);
	if (o->count > XT_MULTI_PORTS)
		return ext_refuse(c, "%u ports, at most %d are possible", o->count, XT_MULTI_PORTS);
	for (i = 0; i < o->count; i++)
		if (o->pflags[i] && ++i == o->count)
			return ext_refuse(c, "the last range of ports has no end");
	return 0;
}

/*
 * As in the kernel a later fragment is not told from a header: what it begins with is read as one.
 */
static bool
tcpmss_match(struct filter_ctx *c, const void *options, void *state)
{
	const struct xt_tcpmss_match_info *o = options;
	uint8_t head[TCP_HEADER], buf[TCP_OPTIONS_MAX];
	const uint8_t *tcp = l4_head(c, TCP_HEADER, head), *at;
	uint32_t i, len;

	(void)state;
	at = tcp ? tcp_options(c, tcp, buf, &len) : NULL;
	if (!at)
		return false;
	for (i = 0; i < len; i += option_step(at, i, len)) {
		uint16_t mss;

		if (at[i] != OPTION_MSS || len - i < OPTION_MSS_LEN || at[i + 1] != OPTION_MSS_LEN)
			continue;
		mss = word_at(at + i + 2);
		return (mss >= o->mss_min && mss <= o->mss_max) != !!o->invert;
	}
	return o->invert;
}

const struct match_ops match_transport[] = {
	{
		.name = "tcp",
		.size = XT_ALIGN(sizeof(struct xt_tcp)),
		.reads = READS_GUARD,
		.proto = IPPROTO_TCP,
		.check = tcp_check,
		.match = tcp_match,
	},
	{
		.name = "udp",
		.size = XT_ALIGN(sizeof(struct xt_udp)),
		.reads = READS_KEY,
		.proto = IPPROTO_UDP,
		.check = udp_check,
		.match = udp_match,
	},
	{
		.name = "icmp",
		.size = XT_ALIGN(sizeof(struct ipt_icmp)),
		.reads = READS_KEY,
		.proto = IPPROTO_ICMP,
		.check = icmp_check,
		.match = icmp_match,
	},
	{
		.name = "multiport",
		.revision = 1,
		.size = XT_ALIGN(sizeof(struct xt_multiport_v1)),
		.reads = READS_KEY,
		.check = multiport_check,
		.match = multiport_match,
	},
	{
		.name = "tcpmss",
		.size = XT_ALIGN(sizeof(struct xt_tcpmss_match_info)),
		.reads = READS_NEVER,
		.proto = IPPROTO_TCP,
		.match = tcpmss_match,
	},
	{0},
};
