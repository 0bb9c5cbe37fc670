/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/rules_draft.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

const char *const table_names[TABLES] = {"raw", "mangle", "filter", "security", "nat"};
const char *const hook_names[HOOKS] = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
const uint8_t table_hooks[TABLES] = {H_PRE | H_OUT, H_ALL, H_IN | H_FWD | H_OUT, H_IN | H_FWD | H_OUT,
	H_PRE | H_IN | H_OUT | H_POST};

void
gen_say(struct gen *g, const char *format, ...)
{
	char *text = g->rule->text;
	size_t len = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + len, RULE_TEXT - len, format, args);
	va_end(args);
	assert(strlen(text) < RULE_TEXT - 1);
}

/* "! " in a quarter of the cases. */
bool
gen_not(struct gen *g)
{
	bool yes = chance(&g->r, 25);

	if (yes)
		gen_say(g, " !");
	return yes;
}

uint16_t
gen_port(struct gen *g)
{
	return PICK(&g->r, g->rs->pool.ports);
}

/* " --option port" or a range. */
void
gen_port_option(struct gen *g, const char *option, uint16_t *hint)
{
	uint16_t a = *hint && chance(&g->r, 90) ? *hint : gen_port(g), b;
	bool not = gen_not(g);

	switch (rnd(&g->r, 5)) {
	case 0:
		b = (uint16_t)(a > 65000 ? 65535 : a + rnd(&g->r, 40));
		gen_say(g, " %s %u:%u", option, a, b);
		break;
	case 1:
		gen_say(g, chance(&g->r, 50) ? " %s %u:" : " %s :%u", option, a);
		break;
	default:
		gen_say(g, " %s %u", option, a);
	}
	if (!not)
		*hint = a;
}

/* Rules that only packets of the router itself meet: answers to pings, errors, resets. */
bool
gen_output(const struct gen *g)
{
	return g->hooks == H_OUT || g->way.made_here;
}

bool
gen_input(const struct gen *g)
{
	return g->hooks == H_IN || g->way.local;
}

unsigned
gen_any_address(struct gen *g)
{
	return rnd(&g->r, ADDRESSES);
}

/* One that packets have there, mostly. */
unsigned
gen_likely_address(struct gen *g, bool src)
{
	const struct hint *h = &g->rule->hint, *way = &g->way;
	int8_t iface = src ? (h->iface >= 0 ? h->iface : way->iface) : h->out >= 0 ? h->out : way->out;
	uint32_t already = src ? h->src : h->dst;
	bool own = src ? gen_output(g) : gen_input(g);
	unsigned a, tries = chance(&g->r, 4) ? 0 : 60;

	do
		a = gen_any_address(g);
	while (tries-- > 0 && already && address_value(a) != already);
	if (already && address_value(a) == already)
		return a;
	do
		a = gen_any_address(g);
	while (tries-- > 0 && (own ? addresses[a].home != -1 : iface >= 0 ? addresses[a].home != iface : addresses[a].home < 0));
	return a;
}

uint32_t
gen_print_mark(struct gen *g, uint32_t mark)
{
	uint32_t mask = chance(&g->r, 40) ? PICK(&g->r, ((uint32_t[]){0xff, 0xf, 0xffff0000, 0x80000001})) : 0;

	if (!mask) {
		gen_say(g, "0x%x", mark);
		return mark;
	}
	gen_say(g, "0x%x/0x%x", mark & mask, mask);
	return mark & mask;
}

void
gen_mark_value(struct gen *g)
{
	uint32_t mark = gen_print_mark(g, chance(&g->r, 20) ? 0 : PICK(&g->r, g->rs->pool.marks));

	g->marks[g->n_marks++ % MARKS_SET] = g->rule->mark = mark;
}

void
gen_never(struct gen *g, bool never)
{
	g->rule->impossible |= never;
}
