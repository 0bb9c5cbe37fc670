/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/xt.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A record as an extension wants to see it. */
struct shown {
	struct ipt_entry entry;
	union {
		struct xt_entry_match match;
		struct xt_entry_target target;
		_Alignas(8) uint8_t room[XT_ALIGN(sizeof(struct xt_entry_match)) + RULES_EXT_MAX];
	};
};

static_assert(sizeof(struct xt_entry_match) == sizeof(struct xt_entry_target), "one layout");

static void
shown_make(struct shown *s, const struct rules_rule *r, const struct rules_ext *e)
{
	memset(&s->entry, 0, sizeof(s->entry));
	s->entry.ip.proto = r->proto;
	if (r->flags & RULE_NOT_PROTO)
		s->entry.ip.invflags |= XT_INV_PROTO;
	if (r->flags & (RULE_FRAGMENT | RULE_NOT_FRAGMENT))
		s->entry.ip.flags |= IPT_F_FRAG;
	memset(s->room, 0, sizeof(struct xt_entry_match));
	s->match.u.match_size = (uint16_t)(sizeof(struct xt_entry_match) + e->size);
	memcpy(s->match.u.user.name, e->name, sizeof(s->match.u.user.name) - 1);
	s->match.u.user.revision = e->revision;
	if (e->size && e->size <= RULES_EXT_MAX)
		memcpy(s->match.data, e->data, e->size);
}

/* => the extension of the very revision and size, or NULL */
static const struct xtables_match *
match_of(const struct rules_ext *e, struct xtables_match **clone)
{
	struct xtables_match *first, *m;

	*clone = NULL;
	if (strlen(e->name) >= XT_EXTENSION_MAXNAMELEN || e->size > RULES_EXT_MAX)
		return NULL;
	first = xt_find_match(e->name, XTF_TRY_LOAD, NULL);
	if (!first)
		return NULL;
	if (first->next == first)
		*clone = first;
	m = *clone && first->revision == e->revision ? first
	    : *clone                                 ? NULL
		     : xtables_find_match_revision(e->name, XTF_TRY_LOAD, first, e->revision);
	return m && m->size == e->size ? m : NULL;
}

static const struct xtables_target *
target_of(const struct rules_ext *e, struct xtables_target **clone)
{
	struct xtables_target *first, *t;

	*clone = NULL;
	if (strlen(e->name) >= XT_EXTENSION_MAXNAMELEN || e->size > RULES_EXT_MAX)
		return NULL;
	first = xt_find_target(e->name, XTF_TRY_LOAD);
	if (!first)
		return NULL;
	if (first->next == first)
		*clone = first;
	t = *clone && first->revision == e->revision ? first
	    : *clone                                 ? NULL
		     : xtables_find_target_revision(e->name, XTF_TRY_LOAD, first, e->revision);
	return t && t->size == e->size ? t : NULL;
}

void
xt_print_match(const struct rules_rule *r, const struct rules_ext *e, bool numeric)
{
	struct xtables_match *clone;
	const struct xtables_match *m = match_of(e, &clone);
	struct shown s;

	shown_make(&s, r, e);
	if (m && m->print)
		m->print(&s.entry.ip, &s.match, numeric ? FMT_NUMERIC : 0);
	else if (!m)
		printf("%s [unsupported revision] ", e->name);
	free(clone);
}

void
xt_print_target(const struct rules_rule *r, bool numeric)
{
	struct xtables_target *clone;
	const struct xtables_target *t = target_of(&r->target, &clone);
	struct shown s;

	shown_make(&s, r, &r->target);
	if (t && t->print)
		t->print(&s.entry.ip, &s.target, numeric ? FMT_NUMERIC : 0);
	else if (!t)
		printf(" %s [unsupported revision]", r->target.name);
	free(clone);
}

void
xt_save_match(const struct rules_rule *r, const struct rules_ext *e)
{
	struct xtables_match *clone;
	const struct xtables_match *m = match_of(e, &clone);
	struct shown s;

	shown_make(&s, r, e);
	printf(" -m %s", m && m->alias ? m->alias(&s.match) : e->name);
	if (m && m->save)
		m->save(&s.entry.ip, &s.match);
	else if (!m)
		printf(" [unsupported revision]");
	free(clone);
}

void
xt_save_target(const struct rules_rule *r)
{
	struct xtables_target *clone;
	const struct xtables_target *t = target_of(&r->target, &clone);
	struct shown s;

	shown_make(&s, r, &r->target);
	printf(" -j %s", t && t->alias ? t->alias(&s.target) : r->target.name);
	if (t && t->save)
		t->save(&s.entry.ip, &s.target);
	else if (!t)
		printf(" [unsupported revision]");
	free(clone);
}
