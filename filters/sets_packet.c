/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/sets_packet.h"

#include "filters/sets_list.h"

#include <string.h>

enum packet_use { USE_TEST, USE_CHANGE };

static bool
side_is_src(const struct set_option *o, unsigned dim)
{
	return o->sides >> dim & 1;
}

static uint32_t
packet_address(const struct filter_ctx *c, bool src)
{
	const struct iphdr *ip = pkt_ip4(c->p);

	return src ? ip->saddr : ip->daddr;
}

/* Bytes that must be there for the ports, or type and code, of a protocol; 0: it has none. */
static unsigned
header_size(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return 20;
	case IPPROTO_SCTP:
		return 12;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 8;
	default:
		return 0;
	}
}

/* As ip_set_get_ip4_port(): 0 for protocols without ports. => false: a later fragment of one with ports, or cut off. */
static bool
packet_port(const struct filter_ctx *c, bool src, uint16_t *port, uint8_t *proto)
{
	const struct iphdr *ip = pkt_ip4(c->p);
	uint8_t buf[20];
	const uint8_t *l4;
	unsigned size = header_size(ip->protocol);

	*port = 0;
	*proto = ip->protocol;
	if (ip->protocol == 0)
		return false;
	if (ip->frag_off & htons(IP_OFFMASK))
		return size == 0 || ip->protocol == IPPROTO_ICMPV6;
	if (size == 0)
		return true;
	l4 = filter_bytes(c, ip->ihl * 4u, size, buf);
	if (!l4)
		return false;
	if (ip->protocol != IPPROTO_ICMP && ip->protocol != IPPROTO_ICMPV6 && !src)
		l4 += 2;
	*port = (uint16_t)(l4[0] << 8 | l4[1]);
	return true;
}

static bool
packet_iface(const struct filter_ctx *c, bool in, char *name)
{
	const struct iface *i = in ? c->in : c->out;

	if (!i)
		return false;
	memcpy(name, i->name, IFNAMSIZ);
	return name[0] != '\0';
}

static bool
packet_port_in_map(const struct filter_ctx *c, const struct set_params *p, bool src, struct set_elem *e)
{
	return packet_port(c, src, &e->port, &e->proto) &&
		(e->proto == IPPROTO_TCP || e->proto == IPPROTO_UDP) && e->port >= p->first &&
		e->port <= p->last;
}

/* The element that a packet stands for. A change of a hash of networks takes its longest prefix. => false: none. */
static bool
packet_elem(const struct filter_ctx *c, const struct set_data *d, const struct set_option *o,
	enum packet_use use, struct set_elem *e)
{
	const struct set_params *p = &d->params;

	*e = (struct set_elem){0};
	if (o->dim < set_kind(p->type)->dims)
		return false;
	if (p->type == SET_BITMAP_PORT)
		return packet_port_in_map(c, p, side_is_src(o, 0), e);
	e->ip = packet_address(c, side_is_src(o, 0));
	if (set_kind(p->type)->nets) {
		e->cidr = use == USE_TEST ? 32 : set_data_longest(d);
		e->ip &= ip4_mask(e->cidr);
		return p->type == SET_HASH_NET ? e->cidr != 0 :
						 packet_iface(c, side_is_src(o, 1), e->iface);
	}
	e->ip &= p->mask;
	if (e->ip == 0)
		return false;
	return p->type == SET_HASH_IP || packet_port(c, side_is_src(o, 1), &e->port, &e->proto);
}

static void
packet_record(const struct filter_ctx *c, struct set *s)
{
	const struct set_params *p = &s->data->params;

	if (p->counters)
		record_refuse(c->p->recorder, "a set counts packets");
	else if (p->timeout != SET_NO_TIMEOUT)
		record_refuse(c->p->recorder, "elements of a set expire");
	else
		record_read(c->p->recorder, &s->version);
}

bool
set_packet_test(struct filter_ctx *c, struct set *s, const struct set_match_options *o)
{
	const struct set_query q = {
		.now = c->env->now,
		.counted = !(o->flags & IPSET_FLAG_SKIP_COUNTER_UPDATE),
		.bytes = pkt_len(c->p),
		.compare = o->packets.op != IPSET_COUNTER_NONE || o->bytes.op != IPSET_COUNTER_NONE,
		.packets_op = o->packets.op,
		.bytes_op = o->bytes.op,
		.packets_value = o->packets.value,
		.bytes_value = o->bytes.value,
	};
	struct set_elem e;
	int found;

	packet_record(c, s);
	if (!packet_elem(c, s->data, &o->set, USE_TEST, &e))
		return false;
	found = set_data_test(s->data, &e, &q);
	if (o->flags & IPSET_FLAG_RETURN_NOMATCH && set_kind(s->data->params.type)->nets)
		found = -found;
	return found > 0;
}

bool
set_test(struct filter_ctx *c, struct set *s, uint8_t n_dims, uint8_t sides)
{
	const struct set_match_options o = {.set = {.dim = n_dims, .sides = sides}};

	return set_packet_test(c, s, &o);
}

static void
packet_changed(struct filter_ctx *c, struct set *s)
{
	s->data->dirty = false;
	version_bump(c->env->epoch, &s->version);
}

void
set_packet_add(
	struct filter_ctx *c, struct set *s, const struct set_option *o, bool exist, uint32_t timeout)
{
	const struct set_params *p = &s->data->params;
	struct set_ext x = {.packets = 1, .bytes = pkt_len(c->p)};
	struct set_elem e;

	if (timeout == SET_TIMEOUT_NONE)
		timeout = (uint32_t)p->timeout;
	else if (timeout > UINT32_MAX / 1000)
		timeout = UINT32_MAX / 1000; /* as the kernel, which counts it in ms */
	if (p->timeout != SET_NO_TIMEOUT && timeout != 0)
		x.expires = c->env->now + timeout * 1000000000ull;
	if (packet_elem(c, s->data, o, USE_CHANGE, &e) &&
		set_data_add(s->data, &e, &x, exist, c->env->now, NULL) == 0)
		packet_changed(c, s);
}

void
set_packet_del(struct filter_ctx *c, struct set *s, const struct set_option *o)
{
	struct set_elem e;

	if (packet_elem(c, s->data, o, USE_CHANGE, &e) &&
		set_data_del(s->data, &e, c->env->now, NULL) == 0)
		packet_changed(c, s);
}
