/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/print.h"

#include "filters/iptables/names.h"
#include "filters/iptables/xt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdlib.h>

static const char *const actions[ACTION_COUNT] = {
	[ACTION_NONE] = "",
	[ACTION_ACCEPT] = "ACCEPT",
	[ACTION_DROP] = "DROP",
	[ACTION_QUEUE] = "QUEUE",
	[ACTION_RETURN] = "RETURN",
};

static const char *
action_name(const struct rules_rule *r)
{
	switch (r->action) {
	case ACTION_JUMP:
	case ACTION_GOTO:
		return r->chain;
	case ACTION_TARGET:
		return r->target.name;
	default:
		return r->action < ACTION_COUNT ? actions[r->action] : "";
	}
}

static const char *
protocol_name(uint16_t protocol, bool look_up)
{
	const struct protoent *entry = NULL;

	for (const struct xtables_pprot *p = xtables_chain_protos; p->name; p++)
		if (p->num == protocol)
			return p->name;
	if (protocol && look_up)
		entry = getprotobynumber(protocol);
	return entry ? entry->p_name : NULL;
}

static struct in_addr
in_addr_of(const struct ip_addr *a)
{
	return (struct in_addr){a->v4};
}

/* => ADDRESS/MASK as -L shows it, in buf */
static const char *
address_text(const struct ip_addr *address, const struct ip_addr *mask, bool numeric, char *buf,
	size_t size)
{
	const struct in_addr a = in_addr_of(address), m = in_addr_of(mask);

	if (!m.s_addr && !numeric)
		return "anywhere";
	snprintf(buf, size, "%s",
		numeric ? xtables_ipaddr_to_numeric(&a) : xtables_ipaddr_to_anyname(&a));
	snprintf(buf + strlen(buf), size - strlen(buf), "%s", xtables_ipmask_to_numeric(&m));
	return buf;
}

static void
matches_print(const struct rules_rule *r, bool numeric)
{
	if (r->action == ACTION_GOTO)
		printf("[goto] ");
	for (uint16_t i = 0; i < r->n_matches; i++)
		xt_print_match(r, &r->matches[i], numeric);
	if (r->action == ACTION_TARGET)
		xt_print_target(r, numeric);
	putchar('\n');
}

static void
interface_print(const char *name, bool inverted, bool numeric, const char *format)
{
	char text[20];

	snprintf(text, sizeof(text), "%s%s", inverted ? "!" : "",
		name[0]   ? name
		: numeric ? "*"
			  : "any");
	printf(format, text);
}

static void
options_print(const struct rules_rule *r)
{
	putchar(r->flags & RULE_NOT_FRAGMENT ? '!' : '-');
	putchar(r->flags & (RULE_FRAGMENT | RULE_NOT_FRAGMENT) ? 'f' : '-');
	putchar(' ');
}

void
print_rule(const struct rules_rule *r)
{
	const char *protocol = protocol_name(r->proto, false);
	char text[64];

	printf("%s %c", action_name(r), r->flags & RULE_NOT_PROTO ? '!' : ' ');
	if (protocol)
		printf("%s opt ", protocol);
	else
		printf("%u opt ", r->proto);
	options_print(r);
	interface_print(r->in, r->flags & RULE_NOT_IN, true, "in %s ");
	interface_print(r->out, r->flags & RULE_NOT_OUT, true, "out %s ");
	printf("%c%s ", r->flags & RULE_NOT_SRC ? '!' : ' ',
		address_text(&r->src, &r->src_mask, true, text, sizeof(text)));
	printf("%c-> %s", r->flags & RULE_NOT_DST ? '!' : ' ',
		address_text(&r->dst, &r->dst_mask, true, text, sizeof(text)));
	fputs("  ", stdout);
	matches_print(r, true);
}

static void
list_rule(const struct rules_rule *r, uint32_t number, const struct list_style *s)
{
	const unsigned format = s->exact ? 0 : FMT_KILOMEGAGIGA;
	const char *protocol = s->numeric ? NULL : protocol_name(r->proto, true);
	char text[NI_MAXHOST + 32];

	if (s->numbers)
		printf("%-4u ", number);
	if (s->verbose) {
		xtables_print_num(r->count.packets, format);
		xtables_print_num(r->count.bytes, format);
	}
	printf("%-9s %c", action_name(r), r->flags & RULE_NOT_PROTO ? '!' : ' ');
	if (protocol)
		printf("%-4s ", protocol);
	else
		printf("%-4u ", r->proto);
	options_print(r);
	if (s->verbose) {
		interface_print(r->in, r->flags & RULE_NOT_IN, s->numeric, " %-6s ");
		interface_print(r->out, r->flags & RULE_NOT_OUT, s->numeric, "%-6s ");
	}
	printf("%c%-19s ", r->flags & RULE_NOT_SRC ? '!' : ' ',
		address_text(&r->src, &r->src_mask, s->numeric, text, sizeof(text)));
	printf("%c%-19s ", r->flags & RULE_NOT_DST ? '!' : ' ',
		address_text(&r->dst, &r->dst_mask, s->numeric, text, sizeof(text)));
	matches_print(r, s->numeric);
}

static void
list_heading(const struct rules_chain *c, uint32_t references, const struct list_style *s)
{
	const unsigned format = FMT_NOTABLE | (s->exact ? 0 : FMT_KILOMEGAGIGA);

	printf("Chain %s", c->name);
	if (c->hook < 0) {
		printf(" (%u references)\n", references);
	} else {
		printf(" (policy %s", c->policy == ACTION_DROP ? "DROP" : "ACCEPT");
		if (s->verbose) {
			putchar(' ');
			xtables_print_num(c->count.packets, format);
			fputs("packets, ", stdout);
			xtables_print_num(c->count.bytes, format);
			fputs("bytes", stdout);
		}
		fputs(")\n", stdout);
	}
	if (s->numbers)
		printf("%-4s ", "num");
	if (s->verbose)
		printf(s->exact ? "%8s %10s " : "%5s %5s ", "pkts", "bytes");
	printf("%-9s  prot opt", "target");
	if (s->verbose)
		printf(" %-6s %-6s ", "in", "out");
	printf(" %-19s  %-19s \n", "source", "destination");
}

static int
compare_chains(const void *a, const void *b)
{
	const struct rules_chain *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

struct rules_chain **
chains_in_order(const struct rules_tab *t)
{
	struct rules_chain **order = calloc(t->n_chains + 1U, sizeof(*order));
	uint32_t n = 0, first;

	if (!order)
		return NULL;
	for (uint32_t i = 0; i < t->n_chains; i++)
		if (t->chains[i]->hook >= 0)
			order[n++] = t->chains[i];
	first = n;
	for (uint32_t i = 0; i < t->n_chains; i++)
		if (t->chains[i]->hook < 0)
			order[n++] = t->chains[i];
	qsort(order + first, n - first, sizeof(*order), compare_chains);
	return order;
}

static uint32_t
index_of(const struct rules_tab *t, const struct rules_chain *c)
{
	uint32_t i;

	for (i = 0; i < t->n_chains; i++)
		if (t->chains[i] == c)
			break;
	return i;
}

static void
list_chain(const struct rules_chain *c, uint32_t references, uint32_t number,
	const struct list_style *s)
{
	if (!number)
		list_heading(c, references, s);
	for (uint32_t i = 0; i < c->n_rules; i++)
		if (!number || number == i + 1)
			list_rule(&c->rules[i], i + 1, s);
}

int
print_list(const struct rules_tab *t, const char *chain, uint32_t number,
	const struct list_style *style)
{
	struct rules_chain **order = chains_in_order(t);
	uint32_t *references = rules_references(t);
	bool found = false;

	if (!order || !references) {
		free(order);
		free(references);
		return -ENOMEM;
	}
	names_begin();
	for (uint32_t i = 0; i < t->n_chains; i++) {
		if (chain && strcmp(chain, order[i]->name) != 0)
			continue;
		if (found)
			putchar('\n');
		list_chain(order[i], references[index_of(t, order[i])], number, style);
		found = true;
	}
	free(order);
	free(references);
	return found ? 0 : -ENOENT;
}

/* => false: it has holes */
static bool
mask_length(uint32_t mask, unsigned *len)
{
	const uint32_t host = ntohl(mask);

	*len = (unsigned)__builtin_popcount(host);
	return host == (*len ? UINT32_MAX << (32 - *len) : 0);
}

static void
address_save(char letter, const struct ip_addr *address, const struct ip_addr *mask, bool inverted)
{
	char text[INET_ADDRSTRLEN];
	unsigned len;

	if (!mask->v4 && !address->v4 && !inverted)
		return;
	printf("%s -%c %s/", inverted ? " !" : "", letter,
		inet_ntop(AF_INET, &address->v4, text, sizeof(text)));
	if (mask_length(mask->v4, &len))
		printf("%u", len);
	else
		fputs(inet_ntop(AF_INET, &mask->v4, text, sizeof(text)), stdout);
}

/* "+" alone is any interface; "! -i +" is none, and has to be said. */
static void
interface_save(char letter, const char *name, bool inverted)
{
	if (!name[0] || (strcmp(name, "+") == 0 && !inverted))
		return;
	printf("%s -%c %s", inverted ? " !" : "", letter, name);
}

static void
protocol_save(const struct rules_rule *r)
{
	const char *name = protocol_name(r->proto, true);

	if (!r->proto)
		return;
	if (r->flags & RULE_NOT_PROTO)
		fputs(" !", stdout);
	if (name)
		printf(" -p %s", name);
	else
		printf(" -p %u", r->proto);
}

static void
action_save(const struct rules_rule *r)
{
	if (r->action == ACTION_TARGET)
		xt_save_target(r);
	else if (r->action != ACTION_NONE)
		printf(" -%c %s", r->action == ACTION_GOTO ? 'g' : 'j', action_name(r));
}

static void
rule_save(const char *chain, const struct rules_rule *r, bool counters_behind)
{
	printf("-A %s", chain);
	address_save('s', &r->src, &r->src_mask, r->flags & RULE_NOT_SRC);
	address_save('d', &r->dst, &r->dst_mask, r->flags & RULE_NOT_DST);
	interface_save('i', r->in, r->flags & RULE_NOT_IN);
	interface_save('o', r->out, r->flags & RULE_NOT_OUT);
	protocol_save(r);
	if (r->flags & (RULE_FRAGMENT | RULE_NOT_FRAGMENT))
		fputs(r->flags & RULE_NOT_FRAGMENT ? " ! -f" : " -f", stdout);
	for (uint16_t i = 0; i < r->n_matches; i++)
		xt_save_match(r, &r->matches[i]);
	if (counters_behind)
		printf(" -c %" PRIu64 " %" PRIu64, r->count.packets, r->count.bytes);
	action_save(r);
	putchar('\n');
}

static void
chain_declare(const struct rules_chain *c, bool counters)
{
	if (c->hook < 0) {
		printf("-N %s\n", c->name);
		return;
	}
	printf("-P %s %s", c->name, c->policy == ACTION_DROP ? "DROP" : "ACCEPT");
	if (counters)
		printf(" -c %" PRIu64 " %" PRIu64, c->count.packets, c->count.bytes);
	putchar('\n');
}

int
print_rules(const struct rules_tab *t, const char *chain, uint32_t number, bool counters)
{
	struct rules_chain **order = chains_in_order(t);
	bool found = false;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n_chains && !number; i++)
		if (!chain || strcmp(chain, order[i]->name) == 0)
			chain_declare(order[i], counters);
	for (uint32_t i = 0; i < t->n_chains; i++) {
		const struct rules_chain *c = order[i];

		if (chain && strcmp(chain, c->name) != 0)
			continue;
		found = true;
		for (uint32_t k = 0; k < c->n_rules; k++)
			if (!number || number == k + 1)
				rule_save(c->name, &c->rules[k], counters);
	}
	free(order);
	return found ? 0 : -ENOENT;
}

static void
chain_save(const struct rules_chain *c)
{
	const char *policy = c->policy == ACTION_DROP ? "DROP" : "ACCEPT";

	if (c->hook < 0)
		printf(":%s - [0:0]\n", c->name);
	else
		printf(":%s %s [%" PRIu64 ":%" PRIu64 "]\n", c->name, policy, c->count.packets,
			c->count.bytes);
}

int
print_save(const struct rules_tab *t, const char *name, bool counters)
{
	struct rules_chain **order = chains_in_order(t);

	if (!order)
		return -ENOMEM;
	printf("*%s\n", name);
	for (uint32_t i = 0; i < t->n_chains; i++)
		chain_save(order[i]);
	for (uint32_t i = 0; i < t->n_chains; i++)
		for (uint32_t k = 0; k < order[i]->n_rules; k++) {
			const struct rules_rule *r = &order[i]->rules[k];

			if (counters)
				printf("[%" PRIu64 ":%" PRIu64 "] ", r->count.packets,
					r->count.bytes);
			rule_save(order[i]->name, r, false);
		}
	puts("COMMIT");
	free(order);
	return 0;
}

int
print_hold(struct print_hold *h)
{
	memset(h, 0, sizeof(*h));
	h->stream = open_memstream(&h->text, &h->len);
	if (!h->stream)
		return -errno;
	h->stdout_before = stdout;
	stdout = h->stream;
	return 0;
}

void
print_release(struct print_hold *h, bool out)
{
	stdout = h->stdout_before;
	fclose(h->stream);
	if (out)
		fwrite(h->text, 1, h->len, stdout);
	free(h->text);
}
