/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/rules_draft.h"

#include <netinet/in.h>
#include <string.h>

void
t_nothing(struct gen *g)
{
	(void)g;
}

void
t_reject(struct gen *g)
{
	static const char *const with[] = {"icmp-net-unreachable", "icmp-host-unreachable", "icmp-port-unreachable", "icmp-proto-unreachable",
		"icmp-net-prohibited", "icmp-host-prohibited", "icmp-admin-prohibited"};

	g->terminal = true;
	g->rule->rejects = true;
	if (g->proto == IPPROTO_TCP && chance(&g->r, 50))
		gen_say(g, " --reject-with tcp-reset");
	else if (chance(&g->r, 80))
		gen_say(g, " --reject-with %s", PICK(&g->r, with));
}

void
t_log(struct gen *g)
{
	gen_say(g, " --log-prefix \"x%u \" --log-level %u", rnd(&g->r, 100), rnd(&g->r, 8));
	if (chance(&g->r, 30))
		gen_say(g, " --log-tcp-options --log-ip-options --log-tcp-sequence");
}

void
t_nflog(struct gen *g)
{
	gen_say(g, " --nflog-group %u --nflog-prefix \"n%u\"", rnd_between(&g->r, 1, 9), rnd(&g->r, 100));
}

void
t_mark(struct gen *g)
{
	static const char *const how[] = {"--set-mark", "--set-xmark"};

	g->rule->sets_mark = true;
	switch (rnd(&g->r, 5)) {
	case 0:
		gen_say(g, " --%s-mark 0x%x", PICK(&g->r, ((const char *const[]){"and", "or", "xor"})), PICK(&g->r, g->rs->pool.marks));
		break;
	default:
		gen_say(g, " %s ", PICK(&g->r, how));
		gen_mark_value(g);
	}
}

void
t_connmark(struct gen *g)
{
	g->rule->sets_connmark = true;
	switch (rnd(&g->r, 5)) {
	case 0:
		gen_say(g, " --save-mark");
		if (chance(&g->r, 40))
			gen_say(g, " --nfmask 0x%x --ctmask 0x%x", PICK(&g->r, ((unsigned[]){0xff, 0xffff, 0xf0})), PICK(&g->r, ((unsigned[]){0xff, 0xf})));
		break;
	case 1:
		if (g->hooks && strcmp(table_names[g->table], "mangle") == 0) {
			g->rule->sets_mark = true;
			g->rule->sets_connmark = false;
			gen_say(g, " --restore-mark");
			if (chance(&g->r, 40))
				gen_say(g, " --nfmask 0x%x --ctmask 0x%x", 0xffu, 0xf0fu);
			break;
		}
		/* fall through */
	case 2:
		gen_say(g, " --set-xmark ");
		gen_mark_value(g);
		break;
	case 3:
		gen_say(g, " --%s-mark 0x%x", PICK(&g->r, ((const char *const[]){"and", "or", "xor"})), PICK(&g->r, g->rs->pool.marks));
		break;
	default:
		gen_say(g, " --set-mark ");
		gen_mark_value(g);
	}
}

void
t_tcpmss(struct gen *g)
{
	if (!(g->hooks & (H_PRE | H_IN)) && chance(&g->r, 50))
		gen_say(g, " --clamp-mss-to-pmtu");
	else
		gen_say(g, " --set-mss %u", PICK(&g->r, g->rs->pool.mss));
}

void
t_ttl(struct gen *g)
{
	switch (rnd(&g->r, 3)) {
	case 0:
		gen_say(g, " --ttl-set %u", rnd_between(&g->r, 1, 255));
		break;
	case 1:
		gen_say(g, " --ttl-inc %u", PICK(&g->r, ((unsigned[]){1, 5, 250})));
		break;
	default:
		gen_say(g, " --ttl-dec %u", PICK(&g->r, ((unsigned[]){1, 5, 64})));
	}
}

void
t_tos(struct gen *g)
{
	uint8_t tos = PICK(&g->r, g->rs->pool.tos);

	switch (rnd(&g->r, 4)) {
	case 0:
		gen_say(g, " --set-tos 0x%02x/0x%02x", tos, PICK(&g->r, ((uint8_t[]){0xff, 0x3f, 0xfc})));
		break;
	case 1:
		gen_say(g, " --%s-tos 0x%02x", PICK(&g->r, ((const char *const[]){"and", "or", "xor"})), tos);
		break;
	default:
		gen_say(g, " --set-tos 0x%02x", tos);
	}
}

void
t_dscp(struct gen *g)
{
	gen_say(g, " --set-dscp 0x%02x", PICK(&g->r, g->rs->pool.tos) >> 2);
}

void
t_ct(struct gen *g)
{
	switch (rnd(&g->r, 4)) {
	case 0:
		gen_say(g, " --notrack");
		break;
	case 1:
		gen_say(g, " --zone-orig %u", rnd_between(&g->r, 1, 2));
		break;
	case 2:
		gen_say(g, " --zone-reply %u", rnd_between(&g->r, 1, 2));
		break;
	default:
		gen_say(g, " --zone %u", rnd_between(&g->r, 1, 3));
	}
}

void
t_nfqueue(struct gen *g)
{
	g->terminal = true;
	if (chance(&g->r, 50))
		gen_say(g, " --queue-num %u", rnd(&g->r, 9));
	else
		gen_say(g, " --queue-balance 1:%u", rnd_between(&g->r, 2, 5));
	if (chance(&g->r, 60))
		gen_say(g, " --queue-bypass");
}
