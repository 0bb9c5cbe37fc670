/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection as a line of conntrack -L (libnetfilter_conntrack, NFCT_O_DEFAULT). */
#include "filters/conntrack_table.h"
#include "filters/helper.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const tcp_states[TCP_CT_STATES] = {
	[TCP_CT_NONE] = "NONE",
	[TCP_CT_SYN_SENT] = "SYN_SENT",
	[TCP_CT_SYN_RECV] = "SYN_RECV",
	[TCP_CT_ESTABLISHED] = "ESTABLISHED",
	[TCP_CT_FIN_WAIT] = "FIN_WAIT",
	[TCP_CT_CLOSE_WAIT] = "CLOSE_WAIT",
	[TCP_CT_LAST_ACK] = "LAST_ACK",
	[TCP_CT_TIME_WAIT] = "TIME_WAIT",
	[TCP_CT_CLOSE] = "CLOSE",
	[TCP_CT_SYN_SENT2] = "SYN_SENT2",
};

struct out {
	char *buf;
	size_t size;
	int len;
};

static void __attribute__((format(printf, 2, 3))) say(struct out *o, const char *format, ...)
{
	size_t at = RTE_MIN((size_t)o->len, o->size);
	va_list args;

	va_start(args, format);
	o->len += vsnprintf(o->size > at ? o->buf + at : NULL, o->size - at, format, args);
	va_end(args);
}

static const char *
proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_UDPLITE:
		return "udplite";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_GRE:
		return "gre";
	case IPPROTO_DCCP:
		return "dccp";
	}
	return "unknown";
}

static void
say_ports(struct out *o, const struct ct_tuple *t)
{
	unsigned sport = ntohs(t->sport), dport = ntohs(t->dport);

	switch (t->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		say(o, "sport=%u dport=%u ", sport, dport);
		break;
	case IPPROTO_GRE:
		say(o, "srckey=0x%x dstkey=0x%x ", sport, dport);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		say(o, "type=%u code=%u id=%u ", t->dport >> 8, t->dport & 0xff, sport);
		break;
	}
}

static void
say_direction(struct out *o, const struct conn *c, enum ct_dir dir)
{
	static const char *const zone_names[] = {"zone-orig", "zone-reply"};
	const struct ct_tuple *t = &c->tuple[dir];
	char src[ADDR_TEXT], dst[ADDR_TEXT];

	say(o, "src=%s dst=%s ", ip_text(&t->src, src), ip_text(&t->dst, dst));
	say_ports(o, t);
	if (c->zone && c->zone_dir == 1u << dir)
		say(o, "%s=%u ", zone_names[dir], c->zone);
	if (c->counted)
		say(o, "packets=%llu bytes=%llu ", (unsigned long long)c->count[dir].packets,
			(unsigned long long)c->count[dir].bytes);
}

static const char *
state_name(const struct conn *c)
{
	if (c->proto == IPPROTO_TCP)
		return tcp_states[c->tcp.state];
	return c->proto == IPPROTO_SCTP ? ct_sctp_state_name(c) : NULL;
}

int
conntrack_print(const struct conn *c, uint64_t now, char *buf, size_t size)
{
	struct out o = {buf, size, 0};
	uint64_t left = c->expires > now ? (c->expires - now) / CT_SECOND : 0;

	say(&o, "%-8s %u %llu ", proto_name(c->proto), c->proto, (unsigned long long)left);
	if (state_name(c))
		say(&o, "%s ", state_name(c));
	say_direction(&o, c, CT_DIR_ORIGINAL);
	if (!(c->status & CT_SEEN_REPLY))
		say(&o, "[UNREPLIED] ");
	say_direction(&o, c, CT_DIR_REPLY);
	if (c->status & CT_ASSURED)
		say(&o, "[ASSURED] ");
	say(&o, "mark=%u ", c->mark);
	if (c->zone && c->zone_dir == 3)
		say(&o, "zone=%u ", c->zone);
	if (c->helper)
		say(&o, "helper=%s ", helper_at(c->helper)->name);
	say(&o, "use=%u", c->refs);
	return o.len;
}

static void
say_tuple(struct out *o, const char *prefix, const struct ct_tuple *t)
{
	char src[ADDR_TEXT], dst[ADDR_TEXT];

	say(o, "%ssrc=%s %sdst=%s ", prefix, ip_text(&t->src, src), prefix, ip_text(&t->dst, dst));
	say_ports(o, t);
}

void
ct_print_expectation(const struct expectation *e, uint64_t now, char *buf, size_t size)
{
	const struct ct_tuple *t = &e->what.tuple;
	const struct conn *master = conn_at(e->table, e->master);
	struct ct_tuple mask = {.dst = t->dst, .dport = UINT16_MAX, .proto = t->proto};
	struct ct_tuple shown = *t;
	struct out o = {buf, size, 0};

	mask.src.family = shown.src.family = mask.dst.family;
	mask.dst.v4 = UINT32_MAX;
	mask.src.v4 = ip_is_set(&t->src) ? UINT32_MAX : 0;
	mask.sport = t->sport ? UINT16_MAX : 0;
	say(&o, "%llu proto=%u ",
		(unsigned long long)(e->timer.when > now ? (e->timer.when - now) / CT_SECOND : 0),
		t->proto);
	say_tuple(&o, "", &shown);
	say_tuple(&o, "mask-", &mask);
	say_tuple(&o, "master-", &master->tuple[CT_DIR_ORIGINAL]);
	say(&o, "class=0");
	if (master->helper)
		say(&o, " helper=%s", helper_at(master->helper)->name);
}
