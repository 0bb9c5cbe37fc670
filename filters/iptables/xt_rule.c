/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/xt_private.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

/* libxtables numbers the options of an extension in blocks of this size. */
enum { OPTIONS_EACH = 256 };

const struct option *
xt_options(void)
{
	return xt_globals.opts;
}

/* Numbers given to options begin anew: libxtables counts them up with each extension, and an int overflows after millions. */
static void
options_reset(void)
{
	xtables_free_opts(1);
	xt_globals.opts = xt_globals.orig_opts;
	xt_globals.option_offset = 0;
}

void
xt_rule_begin(struct xt_rule *x)
{
	struct xtables_match *m;
	struct xtables_target *t;

	memset(x, 0, sizeof(*x));
	for (m = xtables_matches; m; m = m->next)
		m->mflags = 0;
	for (t = xtables_targets; t; t = t->next) {
		t->tflags = 0;
		t->used = 0;
	}
	options_reset();
}

static void
options_merge(const struct xt_option_entry *x6, const struct option *old, unsigned int *offset)
{
	struct option *merged = xt_globals.opts;

	if (x6)
		merged = xtables_options_xfrm(xt_globals.orig_opts, merged, x6, offset);
	else if (old)
		merged = xtables_merge_options(xt_globals.orig_opts, merged, old, offset);
	if (!merged)
		xtables_error(OTHER_PROBLEM, "can't alloc memory!");
	xt_globals.opts = merged;
}

static void
match_start(struct xtables_match *m)
{
	const size_t size = XT_ALIGN(sizeof(struct xt_entry_match)) + m->size;

	m->m = xtables_calloc(1, size);
	m->m->u.match_size = (uint16_t)size;
	snprintf(m->m->u.user.name, sizeof(m->m->u.user.name), "%s",
		m->real_name ? m->real_name : m->name);
	m->m->u.user.revision = m->revision;
	if (m->udata_size) {
		free(m->udata);
		m->udata = xtables_calloc(1, m->udata_size);
	}
	if (m->init)
		m->init(m->m);
	/* A second one of a kind is a copy that points to itself, and its options are in the table
	 * already. */
	if (m != m->next)
		options_merge(m->x6_options, m->extra_opts, &m->option_offset);
}

void
xt_rule_match(struct xt_rule *x, const char *name)
{
	struct xtables_match *m = xt_find_match(name, XTF_LOAD_MUST_SUCCEED, &x->matches);

	match_start(m);
	if (m->real_name && !(m->ext_flags & XTABLES_EXT_ALIAS))
		fprintf(stderr,
			"Notice: the %s match is converted into %s match in rule listing "
			"and saving.\n",
			m->name, m->real_name);
}

void
xt_rule_target(struct xt_rule *x, const char *name)
{
	const bool none = xt_is_verdict(name) || xt_is_chain(name);
	struct xtables_target *t = none ? NULL : xt_find_target(name, XTF_TRY_LOAD);
	size_t size;

	x->target = t;
	if (!t)
		return;
	size = XT_ALIGN(sizeof(struct xt_entry_target)) + t->size;
	t->t = xtables_calloc(1, size);
	t->t->u.target_size = (uint16_t)size;
	snprintf(t->t->u.user.name, sizeof(t->t->u.user.name), "%s",
		t->real_name ? t->real_name : name);
	t->t->u.user.revision = t->revision;
	if (t->udata_size) {
		free(t->udata);
		t->udata = xtables_calloc(1, t->udata_size);
	}
	if (t->init)
		t->init(t->t);
	options_merge(t->x6_options, t->extra_opts, &t->option_offset);
	if (t->real_name && !(t->ext_flags & XTABLES_EXT_ALIAS))
		fprintf(stderr,
			"Notice: The %s target is converted into %s target in rule listing "
			"and saving.\n",
			name, t->real_name);
}

static bool
option_is_of(int c, unsigned int offset)
{
	return c >= 0 && (unsigned int)c >= offset && (unsigned int)c < offset + OPTIONS_EACH;
}

static struct xtables_match *
find_protocol(
	const struct xt_rule *x, enum xtables_tryload load, struct xtables_rule_match **matches)
{
	const struct protoent *entry = NULL;
	const struct xtables_pprot *p;
	unsigned int number;

	if (!xtables_strtoui(x->protocol, NULL, &number, 0, UINT8_MAX))
		return xt_find_match(x->protocol, load, matches);
	for (p = xtables_chain_protos; p->name; p++)
		if (p->num == number)
			return xt_find_match(p->name, load, matches);
	if (number)
		entry = getprotobynumber((int)number);
	return entry ? xt_find_match(entry->p_name, load, matches) : NULL;
}

/* "-p tcp --dport 80" means "-p tcp -m tcp --dport 80". => true: loaded just now */
static bool
protocol_load(struct xt_rule *x)
{
	struct xtables_match *m;

	if (!x->protocol[0])
		return false;
	if (find_protocol(x, XTF_DONT_LOAD, NULL) && x->proto_used)
		return false;
	m = find_protocol(x, XTF_TRY_LOAD, &x->matches);
	if (!m)
		return false;
	x->proto_used = true;
	match_start(m);
	optind--;
	return true;
}

bool
xt_rule_option(struct xt_rule *x, int c, char **argv, bool invert)
{
	struct xtables_rule_match *i;
	struct xtables_target *t = x->target;

	if (t && (t->parse || t->x6_parse) && option_is_of(c, t->option_offset)) {
		xt_guard(t->name, t->x6_options, (unsigned int)c - t->option_offset, optarg);
		xtables_option_tpcall((unsigned int)c, argv, invert, t, &x->entry);
		return false;
	}
	for (i = x->matches; i; i = i->next) {
		if (i->completed || (!i->match->parse && !i->match->x6_parse) ||
			!option_is_of(c, i->match->option_offset))
			continue;
		xt_guard(i->match->name, i->match->x6_options,
			(unsigned int)c - i->match->option_offset, optarg);
		xtables_option_mpcall((unsigned int)c, argv, invert, i->match, &x->entry);
		return false;
	}
	if (protocol_load(x))
		return true;
	if (c == ':')
		xtables_error(
			PARAMETER_PROBLEM, "option \"%s\" requires an argument", argv[optind - 1]);
	if (c == '?')
		xtables_error(PARAMETER_PROBLEM, "unknown option \"%s\"", argv[optind - 1]);
	xtables_error(PARAMETER_PROBLEM, "Unknown arg \"%s\"", optarg ? optarg : "");
}

void
xt_rule_check(struct xt_rule *x)
{
	struct xtables_rule_match *i;

	for (i = x->matches; i; i = i->next)
		xtables_option_mfcall(i->match);
	if (x->target)
		xtables_option_tfcall(x->target);
}

static void
help_print(const char *name, void (*help)(void))
{
	putchar('\n');
	if (help)
		help();
	else
		printf("%s does not take any options\n", name);
}

void
xt_rule_help(const struct xt_rule *x)
{
	const struct xtables_rule_match *i;

	if (x->target)
		help_print(x->target->name, x->target->help);
	for (i = x->matches; i; i = i->next)
		help_print(i->match->name, i->match->help);
}

void
xt_rule_end(struct xt_rule *x)
{
	struct xtables_rule_match *i;
	struct xtables_target *t = x->target;

	for (i = x->matches; i; i = i->next) {
		free(i->match->udata);
		i->match->udata = NULL;
	}
	xtables_rule_matches_free(&x->matches);
	if (t) {
		free(t->t);
		t->t = NULL;
		free(t->udata);
		t->udata = NULL;
		if (t == t->next)
			free(t);
		x->target = NULL;
	}
	options_reset();
}

uint16_t
xt_rule_n_matches(const struct xt_rule *x)
{
	const struct xtables_rule_match *i;
	uint16_t n = 0;

	for (i = x->matches; i; i = i->next)
		n++;
	return n;
}

/* What lies past the part that is of the user's is the kernel's: pointers, buckets, credit. */
static int
ext_take(struct rules_ext *e, const char *name, uint8_t revision, const void *data, size_t size,
	size_t mine)
{
	memset(e, 0, sizeof(*e));
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->revision = revision;
	e->size = (uint16_t)size;
	if (size == 0)
		return 0;
	e->data = calloc(1, size);
	if (!e->data)
		return -ENOMEM;
	if (mine == 0 || mine > size)
		mine = size; /* libxt_helper does not say */
	memcpy(e->data, data, mine);
	xt_guard_options(e);
	return 0;
}

int
xt_rule_take_match(const struct xt_rule *x, uint16_t at, struct rules_ext *e)
{
	const struct xtables_rule_match *i = x->matches;
	const struct xtables_match *m;

	while (at-- > 0)
		i = i->next;
	m = i->match;
	return ext_take(e, m->m->u.user.name, m->revision, m->m->data, m->size, m->userspacesize);
}

int
xt_rule_take_target(const struct xt_rule *x, struct rules_ext *e)
{
	const struct xtables_target *t = x->target;

	return ext_take(e, t->t->u.user.name, t->revision, t->t->data, t->size, t->userspacesize);
}
