/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/sets_names.h"
#include "filters/sets_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_CHUNK = 4096 };

void
set_print(struct set_print *out, const char *format, ...)
{
	char *more;
	va_list args;
	int len;

	if (out->failed)
		return;
	if (out->size - out->len < TEXT_CHUNK) {
		more = realloc(out->text, out->size * 2 + TEXT_CHUNK);
		if (!more) {
			out->failed = true;
			return;
		}
		out->text = more;
		out->size = out->size * 2 + TEXT_CHUNK;
	}
	va_start(args, format);
	len = vsnprintf(out->text + out->len, TEXT_CHUNK, format, args);
	va_end(args);
	out->len += len < TEXT_CHUNK ? (size_t)len : TEXT_CHUNK - 1;
}

static void
print_mask(struct set_print *out, const struct set_params *p)
{
	char text[INET_ADDRSTRLEN];

	if (p->has_bitmask)
		set_print(out, " bitmask %s", inet_ntop(AF_INET, &p->mask, text, sizeof(text)));
	else if (p->netmask != 32)
		set_print(out, " netmask %u", p->netmask);
}

/* "family inet hashsize 1024 ..." as both forms have it; hash:ip and hash:ip,port put the mask elsewhere. */
static void
print_params(struct set_print *out, const struct set_data *d)
{
	const struct set_params *p = &d->params;
	bool late = p->type == SET_HASH_IP_PORT;

	if (p->type == SET_BITMAP_PORT)
		set_print(out, "range %u-%u", p->first, p->last);
	else
		set_print(out, "family inet hashsize %u maxelem %u", 1u << d->table->bits, p->maxelem);
	if (p->type == SET_HASH_IP && !late)
		print_mask(out, p);
	if (p->timeout != SET_NO_TIMEOUT)
		set_print(out, " timeout %d", p->timeout);
	if (p->counters)
		set_print(out, " counters");
	if (p->comment)
		set_print(out, " comment");
	if (p->forceadd)
		set_print(out, " forceadd");
	if (p->type != SET_BITMAP_PORT)
		set_print(out, " bucketsize %u initval 0x%08x", p->bucketsize, p->initval);
	if (late)
		print_mask(out, p);
}

static void
print_elem(struct set_print *out, enum set_type type, const struct set_elem *e)
{
	char ip[INET_ADDRSTRLEN], proto[8], icmp[8];

	if (type == SET_BITMAP_PORT) {
		set_print(out, "%u", e->port);
		return;
	}
	set_print(out, "%s", inet_ntop(AF_INET, &e->ip, ip, sizeof(ip)));
	if (set_kind(type)->nets && e->cidr != 32)
		set_print(out, "/%u", e->cidr);
	if (type == SET_HASH_NET_IFACE)
		set_print(out, ",%s", e->iface);
	if (type != SET_HASH_IP_PORT)
		return;
	set_print(out, ",%s:", set_proto_text(e->proto, proto, sizeof(proto)));
	if (e->proto == IPPROTO_ICMP)
		set_print(out, "%s", set_icmp_text(e->port, icmp, sizeof(icmp)));
	else
		set_print(out, "%u", e->port);
}

/* Whole seconds; the last one counts as one, since 0 means for ever. */
static uint64_t
timeout_left(const struct set_ext *x, uint64_t now)
{
	uint64_t left;

	if (x->expires == 0)
		return 0;
	left = x->expires > now ? (x->expires - now) / 1000000000 : 0;
	return left ? left : 1;
}

struct member_print {
	struct set_print *out;
	const struct set_data *d;
	const char *name; /* of the set, for save; NULL: list */
	uint64_t now;
	uint32_t n;
};

static void
print_member(void *arg, const struct set_elem *e, const struct set_ext *x)
{
	struct member_print *m = arg;
	const struct set_params *p = &m->d->params;

	if (m->name)
		set_print(m->out, "add %s ", m->name);
	print_elem(m->out, p->type, e);
	if (p->timeout != SET_NO_TIMEOUT)
		set_print(m->out, " timeout %" PRIu64, timeout_left(x, m->now));
	if (e->nomatch)
		set_print(m->out, " nomatch");
	if (e->wildcard)
		set_print(m->out, " wildcard");
	if (p->counters)
		set_print(m->out, " packets %" PRIu64 " bytes %" PRIu64, x->packets, x->bytes);
	if (x->comment)
		set_print(m->out, " comment \"%s\"", x->comment);
	set_print(m->out, "\n");
}

static void
count_member(void *arg, const struct set_elem *e, const struct set_ext *x)
{
	struct member_print *m = arg;

	(void)e, (void)x;
	m->n++;
}

void
set_print_save(struct set_print *out, const char *name, const struct set_data *d, uint64_t now)
{
	struct member_print m = {.out = out, .d = d, .name = name, .now = now};

	set_print(out, "create %s %s ", name, set_kind(d->params.type)->name);
	print_params(out, d);
	set_print(out, "\n");
	set_data_walk(d, now, print_member, &m);
}

void
set_print_list(
	struct set_print *out, const char *name, const struct set_data *d, uint32_t refs, uint64_t now)
{
	const struct set_kind *kind = set_kind(d->params.type);
	struct member_print m = {.out = out, .d = d, .now = now};

	set_data_walk(d, now, count_member, &m);
	set_print(out, "Name: %s\nType: %s\nRevision: %u\nHeader: ", name, kind->name, kind->revision);
	print_params(out, d);
	set_print(out, "\nSize in memory: %" PRIu64 "\nReferences: %u\nNumber of entries: %u\nMembers:\n",
		set_data_memory(d), refs, m.n);
	set_data_walk(d, now, print_member, &m);
}
