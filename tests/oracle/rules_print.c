/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ruleset as iptables-restore takes it. */
#include "tests/oracle/rules_draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A user chain that no rule names is only in the way of who reads. */
static bool
mentioned(const struct ruleset_text *rs, const uint8_t *keep, const char *table, const char *line)
{
	char chain[32], policy[8], word[40];
	unsigned i;

	if (sscanf(line, ":%31s %7s", chain, policy) != 2 || policy[0] != '-')
		return true;
	for (i = 0; i < rs->n_rules; i++) {
		const struct rule *r = &rs->rules[i];

		if ((keep && !keep[i]) || strcmp(r->table, table) != 0)
			continue;
		snprintf(word, sizeof(word), " %s", chain);
		if (strcmp(r->chain, chain) == 0 || strstr(r->text, word))
			return true;
	}
	return false;
}

/* Connections are tracked as soon as a rule has a target that translates (xt_nat_checkentry()), called or not; the table alone does not do it there. */
static const char tracked[] = ":tracked - [0:0]\n-A tracked -j SNAT --to-source 192.0.2.1\n";

char *
ruleset_print(const struct ruleset_text *rs, const uint8_t *keep)
{
	char *text = NULL, table[12], rest[96];
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned t, i;

	for (t = 0; t < TABLES; t++) {
		const char *line = rs->policies;
		bool any = false;

		for (; *line; line = strchr(line, '\n') + 1) {
			if (sscanf(line, "%11s %95[^\n]", table, rest) != 2 || strcmp(table, table_names[t]) != 0)
				continue;
			if (!any)
				fprintf(f, "*%s\n", table);
			any = true;
			if (mentioned(rs, keep, table, rest))
				fprintf(f, "%s\n", rest);
		}
		for (i = 0; i < rs->n_rules; i++)
			if (strcmp(rs->rules[i].table, table_names[t]) == 0 && (!keep || keep[i]))
				fprintf(f, "%s\n", rs->rules[i].text);
		if (any && t == TABLE_OF_NAT)
			fputs(tracked, f);
		if (any)
			fprintf(f, "COMMIT\n");
	}
	fclose(f);
	return text;
}
