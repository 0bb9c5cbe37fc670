/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Matches of what a packet has not in it: marks, clocks, counts, connections. */
#include "tests/oracle/rules_draft.h"

#include <netinet/in.h>
#include <string.h>

static void
match_mark(struct gen *g, bool *marked)
{
	uint32_t mark = chance(&g->r, 50) ? 0 : PICK(&g->r, g->rs->pool.marks);
	bool not = chance(&g->r, mark ? 60 : 20); /* few packets have a mark */

	if (mark && g->n_marks && chance(&g->r, 80))
		mark = g->marks[rnd(&g->r, g->n_marks < MARKS_SET ? g->n_marks : MARKS_SET)];
	if (not)
		gen_say(g, " !");
	gen_say(g, " --mark ");
	mark = gen_print_mark(g, mark);
	*marked |= not == !mark;
	if (!not && mark)
		g->rule->hint.mark = mark;
}

void
m_mark(struct gen *g)
{
	match_mark(g, &g->rule->hint.marked);
}

void
m_owner(struct gen *g)
{
	bool not = chance(&g->r, 90); /* there are no sockets */

	g->rule->hint.made_here = true;
	if (not)
		gen_say(g, " !");
	gen_never(g, !not);
	gen_say(g, PICK(&g->r, ((const char *const[]){" --uid-owner 0", " --uid-owner 1-1000", " --gid-owner 0"})));
}

void
m_comment(struct gen *g)
{
	g->always = true;
	gen_say(g, " --comment \"rule %u\"", rnd(&g->r, 1000));
}

/* Never near the moment of the run. */
void
m_time(struct gen *g)
{
	switch (rnd(&g->r, 8)) {
	case 2:
	case 3:
	case 4:
		gen_say(g, " --datestart 2001-02-03T04:05:06 --datestop 2037-01-01T00:00:00");
		g->always = true;
		break;
	case 1:
		gen_say(g, " --datestart 2001-02-03T04:05:06 --datestop 2002-01-01T00:00:00");
		gen_never(g, true);
		break;
	case 0:
		g->always = true;
		gen_say(g, " --weekdays Mon,Tue,Wed,Thu,Fri,Sat,Sun");
		break;
	default:
		if (chance(&g->r, 10)) {
			gen_say(g, " !");
			gen_never(g, true);
		} else {
			g->always = true;
		}
		gen_say(g, " --monthdays 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30");
	}
}

void
m_statistic(struct gen *g)
{
	unsigned every = rnd_between(&g->r, 1, 5);

	if (chance(&g->r, 20)) {
		unsigned p = rnd(&g->r, 2);

		gen_say(g, " --mode random");
		bool not = chance(&g->r, p ? 20 : 80);

		if (not)
			gen_say(g, " !");
		gen_never(g, not == (p == 1));
		g->always = not != (p == 1);
		gen_say(g, " --probability %u", p);
		return;
	}
	gen_say(g, " --mode nth");
	gen_not(g);
	gen_say(g, " --every %u --packet %u", every, rnd(&g->r, every));
}

void
m_limit(struct gen *g)
{
	gen_say(g, " --limit %u/hour --limit-burst %u", rnd_between(&g->r, 1, 3), rnd_between(&g->r, 1, 12));
}

void
m_hashlimit(struct gen *g)
{
	static const char *const modes[] = {"srcip", "dstip", "srcip,dstip", "srcip,dstport", "dstip,srcport,dstport", "srcport"};
	const char *mode = PICK(&g->r, modes);

	if (strstr(mode, "port") && g->proto != IPPROTO_TCP && g->proto != IPPROTO_UDP && chance(&g->r, 50))
		mode = "srcip";
	if (chance(&g->r, 85))
		gen_say(g, " --hashlimit-mode %s", mode);
	gen_say(g, " --hashlimit-name h%llx_%u --hashlimit-htable-expire 3600000", (unsigned long long)(g->serial & 0xffffff),
		g->rs->n_rules);
	if (chance(&g->r, 20))
		gen_say(g, " --hashlimit-srcmask %u", PICK(&g->r, ((unsigned[]){8, 24, 31})));
	if (chance(&g->r, 20))
		gen_say(g, " --hashlimit-%s %u/day --hashlimit-burst %u", chance(&g->r, 50) ? "upto" : "above", rnd_between(&g->r, 4, 6),
			rnd_between(&g->r, 1, 8));
	else
		gen_say(g, " --hashlimit-%s %u/hour --hashlimit-burst %u", chance(&g->r, 50) ? "upto" : "above", rnd_between(&g->r, 1, 2),
			rnd_between(&g->r, 1, 10));
}

void
m_recent(struct gen *g)
{
	static const char *const acts[] = {"--set", "--rcheck", "--update", "--remove"};
	unsigned act = PICK(&g->r, ((unsigned[]){0, 0, 0, 1, 2, 3}));

	bool not = chance(&g->r, act ? 35 : 5);
	unsigned table = rnd(&g->r, 2);

	if (not)
		gen_say(g, " !");
	gen_say(g, " %s --name r%llx_%u", acts[act], (unsigned long long)(g->serial & 0xffffff), table);
	if (act == 0)
		g->rule->recent_adds = (uint8_t)(1u << table);
	else if (!not)
		g->rule->recent_asks = (uint8_t)(1u << table);
	g->rule->hint.answered |= g->rule->recent_asks != 0;
	if (act == 1 || act == 2) {
		if (chance(&g->r, 50))
			gen_say(g, " --seconds 3600");
		if (chance(&g->r, 50))
			gen_say(g, " --hitcount %u", rnd_between(&g->r, 1, 3));
		if (chance(&g->r, 15))
			gen_say(g, " --rttl");
	}
	/* rules that share a table must have the same mask */
	gen_say(g, chance(&g->r, 70) ? " --rsource" : " --rdest");
}

static void
state_list(struct gen *g, const char *option, bool more)
{
	static const char *const states[] = {"NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "SNAT", "DNAT"};
	unsigned n = rnd_between(&g->r, 1, 2), i, mask = 0;
	bool not;

	for (i = 0; i < n; i++)
		mask |= 1u << (gen_output(g) && chance(&g->r, 60) ? rnd_between(&g->r, 1, 2) :
				      chance(&g->r, 70) ? rnd(&g->r, 2) : rnd(&g->r, more ? 7 : 5));
	not = chance(&g->r, mask & (gen_output(g) ? 6 : 15) ? 25 : 80);
	if (not)
		gen_say(g, " !");
	g->rule->hint.answered |= not ? mask & 1 : !(mask & ~2u);
	g->rule->hint.related |= !not && mask == 4;
	gen_never(g, !not && !(mask & ~0x60u) && !g->rs->nat);
	gen_say(g, " %s", option);
	for (i = 0, n = 0; i < 7; i++)
		if (mask & 1u << i)
			gen_say(g, "%s%s", n++ ? "," : " ", states[i]);
}

void
m_state(struct gen *g)
{
	state_list(g, "--state", false);
}

static void
ct_address(struct gen *g, const char *option, bool src, uint32_t *hint)
{
	unsigned a = gen_likely_address(g, src);

	if (!gen_not(g) && hint)
		*hint = address_value(a);
	gen_say(g, " %s %s", option, addresses[a].text);
	if (chance(&g->r, 40))
		gen_say(g, "/%u", PICK(&g->r, ((unsigned[]){8, 16, 24, 30})));
}

static void
ct_port(struct gen *g, const char *option, uint16_t *hint)
{
	uint16_t p = gen_port(g);

	if (!gen_not(g) && hint)
		*hint = p;
	gen_say(g, " %s %u", option, p);
	if (chance(&g->r, 30) && p < 65000)
		gen_say(g, ":%u", p + 50);
}

void
m_conntrack(struct gen *g)
{
	static const char *const status[] = {"EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED", "SEEN_REPLY,ASSURED", "NONE", "ASSURED,CONFIRMED"};
	struct hint *h = &g->rule->hint;
	unsigned i;
	bool not, out = gen_output(g); /* what is sent here answers */

	switch (rnd(&g->r, 12)) {
	case 0:
		gen_not(g);
		gen_say(g, " --ctproto %u", g->proto ? g->proto : PICK(&g->r, ((uint8_t[]){1, 6, 17})));
		break;
	case 1:
		ct_address(g, "--ctorigsrc", !out, out ? &h->dst : &h->src);
		break;
	case 2:
		ct_address(g, "--ctorigdst", out, out ? &h->src : &h->dst);
		break;
	case 3:
		ct_address(g, "--ctreplsrc", out, out ? &h->src : &h->dst);
		break;
	case 4:
		ct_address(g, "--ctrepldst", !out, out ? &h->dst : &h->src);
		break;
	case 5:
		i = rnd(&g->r, sizeof(status) / sizeof(*status));
		not = chance(&g->r, i == 0 || i == 5 ? 80 : 25);
		if (not)
			gen_say(g, " !");
		h->answered |= !not && (strstr(status[i], "SEEN_REPLY") || strstr(status[i], "ASSURED"));
		gen_never(g, !not && (i == 0 || i == 5));
		gen_say(g, " --ctstatus %s", status[i]);
		break;
	case 6:
		gen_not(g);
		gen_say(g, " --ctexpire %s", PICK(&g->r, ((const char *const[]){"0:25", "20:60", "100:130", "200:500000", "5:28"})));
		break;
	case 7:
		h->reply = chance(&g->r, out ? 90 : 50);
		gen_say(g, " --ctdir %s", h->reply ? "REPLY" : "ORIGINAL");
		break;
	case 8:
		ct_port(g, chance(&g->r, 50) ? "--ctorigsrcport" : "--ctrepldstport", out ? &h->dport : &h->sport);
		break;
	case 9:
		ct_port(g, chance(&g->r, 50) ? "--ctorigdstport" : "--ctreplsrcport", out ? &h->sport : &h->dport);
		break;
	default:
		state_list(g, "--ctstate", true);
		if (!chance(&g->r, 20))
			break;
		h->reply = chance(&g->r, out ? 90 : 50);
		gen_say(g, " --ctdir %s", h->reply ? "REPLY" : "ORIGINAL");
	}
}

void
m_connmark(struct gen *g)
{
	match_mark(g, &g->rule->hint.connmarked);
}

void
m_connbytes(struct gen *g)
{
	static const char *const modes[] = {"packets", "bytes", "avgpkt"}, *const dirs[] = {"original", "reply", "both"};
	unsigned mode = rnd(&g->r, 3), dir = rnd(&g->r, 3);
	unsigned from = mode == 0 ? PICK(&g->r, ((unsigned[]){0, 1, 2, 3, 5})) : PICK(&g->r, ((unsigned[]){0, 1, 30, 100, 300}));

	bool not = gen_not(g), open = chance(&g->r, 40);

	if (!not)
		g->rule->hint.answered |= from > 1 || (dir == 1 && from);
	gen_never(g, not && open && (from == 0 || (from == 1 && dir != 1))); /* this packet counts */
	gen_say(g, " --connbytes %u:", from);
	if (!open)
		gen_say(g, "%u", from + 10 * rnd(&g->r, 50));
	gen_say(g, " --connbytes-dir %s", dirs[dir]);
	gen_say(g, " --connbytes-mode %s", modes[mode]);
}

void
m_connlimit(struct gen *g)
{
	gen_say(g, " --connlimit-%s %u", chance(&g->r, 50) ? "above" : "upto", rnd(&g->r, 6));
	if (chance(&g->r, 60))
		gen_say(g, " --connlimit-mask %u", PICK(&g->r, ((unsigned[]){0, 8, 24, 32})));
	gen_say(g, " --connlimit-%s", chance(&g->r, 60) ? "saddr" : "daddr");
}
