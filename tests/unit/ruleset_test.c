/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/ruleset.h"

#include "filters/classifier.h"
#include "tests/unit/support/rulesets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_mac.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_statistic.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <stdio.h>
#include <stdlib.h>

static struct test_env env;
static struct test_router t;
static const struct test_ip plain = {.src = "10.0.0.2", .dst = "10.1.0.2", .id = 77};

static char logged[4096];

static void
keep_log(struct env *e, const struct pkt *p, int level, const char *line)
{
	(void)e;
	(void)p;
	assert_int_equal(level, 4);
	strncat(logged, line, sizeof(logged) - strlen(logged) - 1);
	strncat(logged, "\n", sizeof(logged) - strlen(logged) - 1);
}

static int
setup(void **state)
{
	static struct env_ops ops;

	(void)state;
	test_env_init(&env, 1);
	test_router_init(&t);
	ops = *env.env.ops;
	ops.log = keep_log;
	env.env.ops = &ops;
	logged[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	test_router_fini(&t, &env);
	return (int)test_env_fini(&env);
}

/* ---- packets and options ---- */

static struct pkt *
udp(const struct test_ip *ip, size_t len)
{
	uint8_t buf[2048];
	struct pkt *p = test_pkt(&env, buf, test_udp(buf, ip, 1000, 2000, len));

	assert_int_equal(pkt_parse(p), DROP_NONE);
	return p;
}

/* Forwards a packet from eth0 to eth1 through the filter table. */
static enum filter_verdict
forward(const struct ruleset *rs, struct pkt *p, enum drop_reason *why)
{
	struct filter_ctx c =
		test_filter_ctx(&env, &t, p, rs, TABLE_FILTER, RULES_FORWARD, TEST_ETH0, TEST_ETH1);
	enum filter_verdict v = ruleset_run(rs, &c);

	if (why)
		*why = c.why;
	return v;
}

static enum filter_verdict
forward_plain(const struct ruleset *rs, enum drop_reason *why)
{
	struct pkt *p = udp(&plain, 10);
	enum filter_verdict v = forward(rs, p, why);

	test_pkt_free(&env, p);
	return v;
}

#define OPTIONS(type, ...)                                                                         \
	((const union {                                                                            \
		struct type o;                                                                     \
		uint8_t room[XT_ALIGN(sizeof(struct type))];                                       \
	}){.o = __VA_ARGS__}                                                                       \
			.room)
#define EXT(name, revision, type, ...)                                                             \
	{                                                                                          \
		name, revision, OPTIONS(type, __VA_ARGS__), XT_ALIGN(sizeof(struct type))          \
	}

enum {
	COMMENT,
	MARK_1,
	MARK_2,
	SET_1,
	SET_2,
	LIMIT,
	NTH,
	MAC,
	TCP,
	COMMENT_7,
	MARK_SHORT,
	PHYSDEV,
	TRACE,
	AUDIT
};

#define SET_MARK(m) EXT("MARK", 2, xt_mark_tginfo2, {.mark = m, .mask = UINT32_MAX})
#define HAS_MARK(m) EXT("mark", 1, xt_mark_mtinfo1, {.mark = m, .mask = UINT32_MAX})

/* Filled by fill_exts(): compound literals with a union inside are no constants. */
static struct test_ext exts[AUDIT + 1];

static void
set_ext(unsigned at, struct test_ext e)
{
	void *copy = malloc(e.size + !e.size);

	assert_non_null(copy);
	if (e.size)
		memcpy(copy, e.options, e.size);
	e.options = copy;
	exts[at] = e;
}

static int
fill_exts(void **state)
{
	(void)state;
	set_ext(COMMENT, (struct test_ext)EXT("comment", 0, xt_comment_info, {.comment = "first"}));
	set_ext(MARK_1, (struct test_ext)HAS_MARK(1));
	set_ext(MARK_2, (struct test_ext)HAS_MARK(2));
	set_ext(SET_1, (struct test_ext)SET_MARK(1));
	set_ext(SET_2, (struct test_ext)SET_MARK(2));
	set_ext(LIMIT,
		(struct test_ext)EXT("limit", 0, xt_rateinfo, {.avg = XT_LIMIT_SCALE, .burst = 3}));
	set_ext(NTH, (struct test_ext)EXT("statistic", 0, xt_statistic_info,
			     {.mode = XT_STATISTIC_MODE_NTH, .u.nth = {.every = 2, .packet = 0}}));
	set_ext(MAC, (struct test_ext)EXT("mac", 0, xt_mac_info, {.invert = 1}));
	set_ext(TCP,
		(struct test_ext)EXT("tcp", 0, xt_tcp, {.spts = {0, 65535}, .dpts = {0, 65535}}));
	set_ext(COMMENT_7,
		(struct test_ext)EXT("comment", 7, xt_comment_info, {.comment = "first"}));
	set_ext(MARK_SHORT, (struct test_ext){"mark", 1, "1234", 4});
	set_ext(PHYSDEV, (struct test_ext){"physdev", 0, "12345678", 8});
	set_ext(TRACE, (struct test_ext){"TRACE", 0, NULL, 0});
	set_ext(AUDIT, (struct test_ext){"AUDIT", 0, "1", 1});
	return 0;
}

static int
free_exts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(exts) / sizeof(*exts); i++)
		free((void *)exts[i].options);
	return 0;
}

/* ---- what rules mean ---- */

struct scenario {
	const char *text;
	enum filter_verdict verdict;
	enum drop_reason why; /* of a drop */
	const char *counts;   /* "CHAIN/RULE=PACKETS ..."; rule 0: the policy */
};

static const struct scenario scenarios[] = {
	{"*filter", FILTER_ACCEPT, DROP_NONE, "FORWARD/0=1 INPUT/0=0"},
	{"*filter\n:FORWARD DROP", FILTER_DROP, DROP_POLICY, "FORWARD/0=1"},
	{"*mangle\n:FORWARD DROP", FILTER_ACCEPT, DROP_NONE, ""},
	{"*filter\n-A FORWARD -j DROP", FILTER_DROP, DROP_RULE, "FORWARD/1=1 FORWARD/0=0"},
	{"*filter\n-A FORWARD\n-A FORWARD -p tcp\n-A FORWARD -j ACCEPT\n-A FORWARD", FILTER_ACCEPT,
		DROP_NONE, "FORWARD/1=1 FORWARD/2=0 FORWARD/3=1 FORWARD/4=0"},
	{"*filter\n-A FORWARD -j QUEUE", FILTER_QUEUE, DROP_NONE, "FORWARD/1=1"},
	/* RETURN in a built-in chain: the policy */
	{"*filter\n:FORWARD DROP\n-A FORWARD -j RETURN\n-A FORWARD -j ACCEPT", FILTER_DROP,
		DROP_POLICY, "FORWARD/1=1 FORWARD/2=0 FORWARD/0=1"},
	/* three deep, and back by the end of a chain and by RETURN */
	{"*filter\n:FORWARD DROP\n:a -\n:b -\n:c -\n-A FORWARD -j a\n-A FORWARD -j ACCEPT\n-A "
	 "a\n-A a -j b\n-A a\n"
	 "-A b -j c\n-A b -j RETURN\n-A b -j DROP\n-A c\n",
		FILTER_ACCEPT, DROP_NONE,
		"FORWARD/1=1 FORWARD/2=1 a/1=1 a/2=1 a/3=1 b/1=1 b/2=1 b/3=0 c/1=1 FORWARD/0=0"},
	/* goto: the end of its chain is the end of the one before */
	{"*filter\n:a -\n:b -\n-A FORWARD -j a\n-A FORWARD -j DROP\n-A a -g b\n-A a -j ACCEPT\n-A "
	 "b",
		FILTER_DROP, DROP_RULE, "FORWARD/2=1 a/1=1 a/2=0 b/1=1"},
	{"*filter\n:a -\n:b -\n-A FORWARD -j a\n-A FORWARD -j DROP\n-A a -g b\n-A a -j ACCEPT\n-A "
	 "b -j RETURN\n-A b -j ACCEPT",
		FILTER_DROP, DROP_RULE, "FORWARD/2=1 b/1=1 b/2=0"},
	/* goto from a built-in chain: what follows is the policy */
	{"*filter\n:FORWARD DROP\n:a -\n-A FORWARD -g a\n-A FORWARD -j ACCEPT\n-A a", FILTER_DROP,
		DROP_POLICY, "FORWARD/1=1 FORWARD/2=0 FORWARD/0=1 a/1=1"},
	/* a jump out of a chain that was gone to comes back to it */
	{"*filter\n:FORWARD DROP\n:a -\n:b -\n-A FORWARD -g a\n-A FORWARD -j ACCEPT\n-A a -j b\n-A "
	 "a\n-A b",
		FILTER_DROP, DROP_POLICY, "a/1=1 a/2=1 b/1=1 FORWARD/0=1"},
	/* two ways into one chain */
	{"*filter\n:a -\n-A FORWARD -j a\n-A FORWARD -j a\n-A a\n", FILTER_ACCEPT, DROP_NONE,
		"a/1=2 FORWARD/2=1"},
	/* matches: in their order, until one fails; targets that go on */
	{"*filter\n-A FORWARD -m @0 -m @1 -j DROP\n-A FORWARD -m @0 -j @3\n-A FORWARD -m @1 -m @2 "
	 "-j DROP\n-A FORWARD -m @1 -j ACCEPT",
		FILTER_ACCEPT, DROP_NONE, "FORWARD/1=0 FORWARD/2=1 FORWARD/3=0 FORWARD/4=1"},
	/* -f means later fragments */
	{"*filter\n-A FORWARD -f\n-A FORWARD ! -f", FILTER_ACCEPT, DROP_NONE,
		"FORWARD/1=0 FORWARD/2=1"},
	/* interfaces */
	{"*filter\n-A FORWARD -i eth0\n-A FORWARD -i eth\n-A FORWARD -i eth+\n-A FORWARD -i +\n-A "
	 "FORWARD -i eth00\n-A FORWARD -o eth1\n"
	 "-A FORWARD -o lo\n-A FORWARD ! -i eth0\n-A FORWARD ! -o iucv+\n-A FORWARD -i e+ -o e+ -s "
	 "10.0.0.2\n-A FORWARD ! -i +",
		FILTER_ACCEPT, DROP_NONE,
		"FORWARD/1=1 FORWARD/2=0 FORWARD/3=1 FORWARD/4=1 FORWARD/5=0 FORWARD/6=1 "
		"FORWARD/7=0 FORWARD/8=0 FORWARD/9=1 FORWARD/10=1 "
		"FORWARD/11=0"},
	/* addresses, masks with holes, protocols */
	{"*filter\n-A FORWARD -s 10.0.0.2\n-A FORWARD -s 10.0.0.3\n-A FORWARD ! -s 10.0.0.0/24\n-A "
	 "FORWARD -d 10.9.0.2/255.0.255.255\n"
	 "-A FORWARD ! -d 10.1.0.3\n-A FORWARD -p udp\n-A FORWARD -p tcp\n-A FORWARD ! -p tcp\n-A "
	 "FORWARD ! -p 0\n-A FORWARD -s 0.0.0.0/0",
		FILTER_ACCEPT, DROP_NONE,
		"FORWARD/1=1 FORWARD/2=0 FORWARD/3=0 FORWARD/4=1 FORWARD/5=1 FORWARD/6=1 "
		"FORWARD/7=0 FORWARD/8=1 FORWARD/9=1 FORWARD/10=1"},
};

static void
check_counts(const struct ruleset *rs, const char *counts)
{
	char chain[RULES_NAME];
	unsigned rule, packets;
	int n;

	for (; sscanf(counts, " %31[^/]/%u=%u%n", chain, &rule, &packets, &n) == 3; counts += n)
		if (test_packets(rs, TABLE_FILTER, chain, rule) != packets)
			fail_msg("%s rule %u: %u packets, not %u", chain, rule,
				(unsigned)test_packets(rs, TABLE_FILTER, chain, rule), packets);
	assert_true(counts[0] == '\0');
}

static void
meanings(void **state)
{
	enum drop_reason why;

	(void)state;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		const struct scenario *s = &scenarios[i];
		struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL, s->text, exts);

		print_message("%s\n", s->text);
		assert_int_equal(forward_plain(rs, &why), s->verdict);
		if (s->verdict == FILTER_DROP)
			assert_int_equal(why, s->why);
		check_counts(rs, s->counts);
		ruleset_free(rs);
	}
}

static void
later_fragments(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n-A FORWARD -f\n-A FORWARD ! -f\n-A FORWARD -p udp\n-A FORWARD -p tcp",
		exts);
	struct test_ip ip = plain;
	struct pkt *p;

	(void)state;
	ip.frag_off = 10;
	p = udp(&ip, 64);
	assert_int_equal(forward(rs, p, NULL), FILTER_ACCEPT);
	test_pkt_free(&env, p);
	check_counts(rs, "FORWARD/1=1 FORWARD/2=0 FORWARD/3=1 FORWARD/4=0");
	ruleset_free(rs);
}

/* A TCP header of a fragment that begins within it (RFC 1858). */
static void
malformed(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n-A FORWARD -p tcp -m @8 -j ACCEPT\n-A FORWARD -j ACCEPT", exts);
	struct test_ip ip = plain;
	enum drop_reason why;
	uint8_t buf[256];
	struct pkt *p;

	(void)state;
	ip.frag_off = 1;
	p = test_pkt(&env, buf, test_tcp(buf, &ip, 1, 2, 64));
	assert_int_equal(pkt_parse(p), DROP_NONE);
	assert_int_equal(forward(rs, p, &why), FILTER_DROP);
	assert_int_equal(why, DROP_RULE_MALFORMED);
	check_counts(rs, "FORWARD/1=0 FORWARD/2=0 FORWARD/0=0");
	test_pkt_free(&env, p);
	ruleset_free(rs);
}

static void
hooks_and_tables(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n-A INPUT -i eth0 -j DROP\n-A OUTPUT -i eth0\n-A OUTPUT ! -i "
		"eth0\n*raw\n:PREROUTING DROP",
		exts);
	struct pkt *p = udp(&plain, 10);
	static const struct {
		enum rules_table table;
		enum rules_hook hook;
		uint16_t in, out;
		enum filter_verdict verdict;
	} rows[] = {
		{TABLE_FILTER, RULES_INPUT, TEST_ETH0, 0, FILTER_DROP},
		{TABLE_FILTER, RULES_INPUT, TEST_ETH1, 0, FILTER_ACCEPT},
		{TABLE_FILTER, RULES_OUTPUT, 0, TEST_ETH1, FILTER_ACCEPT},
		{TABLE_FILTER, RULES_PREROUTING, TEST_ETH0, 0, FILTER_ACCEPT},
		{TABLE_RAW, RULES_PREROUTING, TEST_ETH0, 0, FILTER_DROP},
		{TABLE_RAW, RULES_OUTPUT, 0, TEST_ETH0, FILTER_ACCEPT},
		{TABLE_NAT, RULES_PREROUTING, TEST_ETH0, 0, FILTER_ACCEPT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct filter_ctx c = test_filter_ctx(
			&env, &t, p, rs, rows[i].table, rows[i].hook, rows[i].in, rows[i].out);

		assert_int_equal(ruleset_run(rs, &c), rows[i].verdict);
	}
	check_counts(rs, "INPUT/1=1 INPUT/0=1 OUTPUT/1=0 OUTPUT/2=1 OUTPUT/0=1");
	test_pkt_free(&env, p);
	ruleset_free(rs);
}

static void
super_packets_count_once(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL, "*filter\n-A FORWARD", exts);
	struct pkt *p = udp(&plain, 1000);

	(void)state;
	p->gso_type = PKT_GSO_UDP_L4;
	p->gso_size = 100;
	assert_int_equal(forward(rs, p, NULL), FILTER_ACCEPT);
	assert_int_equal(rs->tables[TABLE_FILTER].chains[1]->rules[0].live->packets, 1);
	assert_int_equal(rs->tables[TABLE_FILTER].chains[1]->rules[0].live->bytes, 1028);
	assert_int_equal(rs->tables[TABLE_FILTER].chains[1]->live->bytes, 1028);
	test_pkt_free(&env, p);
	ruleset_free(rs);
}

/* ---- what a recorder hears ---- */

static void
recording(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n-A FORWARD -p udp\n-A FORWARD -p tcp -m @5\n-A FORWARD -s 10.0.0.2 -m @5",
		exts);
	struct pkt *p = udp(&plain, 10), *other;
	struct recorder r = {0};
	struct test_ip ip = plain;

	(void)state;
	p->recorder = &r;
	forward(rs, p, NULL);
	assert_true(r.refused);
	assert_string_equal(r.because, "limit");
	assert_int_equal(r.n_credits, 3);
	ip.src = "10.0.0.3";
	other = udp(&ip, 10);
	r = (struct recorder){0};
	other->recorder = &r;
	forward(rs, other, NULL);
	assert_false(r.refused);
	assert_int_equal(r.n_credits, 2); /* the first rule, and the policy */
	test_pkt_free(&env, p);
	test_pkt_free(&env, other);
	ruleset_free(rs);
}

/* ---- TRACE ---- */

static void
traces(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n:FORWARD DROP\n:a -\n:b -\n-A FORWARD -p tcp\n-A FORWARD -j a\n-A "
		"FORWARD -s 10.0.0.2 -j b\n-A a\n-A b -j RETURN",
		exts);
	static const char *const lines[] = {"TRACE: filter:FORWARD:rule:2 IN=eth0 OUT=eth1 ",
		"TRACE: filter:a:rule:1 ", "TRACE: filter:a:return:2 ",
		"TRACE: filter:FORWARD:rule:3 ", "TRACE: filter:b:return:1 ",
		"TRACE: filter:FORWARD:policy:4 "};
	struct pkt *p = udp(&plain, 10);
	char *save, *line;
	size_t i = 0;

	(void)state;
	p->flags |= PKT_TRACE;
	assert_int_equal(forward(rs, p, NULL), FILTER_DROP);
	for (line = strtok_r(logged, "\n", &save); line; line = strtok_r(NULL, "\n", &save), i++) {
		assert_true(i < sizeof(lines) / sizeof(*lines));
		assert_memory_equal(line, lines[i], strlen(lines[i]));
		assert_non_null(strstr(line, "SRC=10.0.0.2 DST=10.1.0.2 "));
	}
	assert_int_equal(i, sizeof(lines) / sizeof(*lines));
	test_pkt_free(&env, p);
	ruleset_free(rs);
}

/* As the kernel has it: what looks like the last rule of a chain is called so. */
static void
traces_of_ends(void **state)
{
	static const struct {
		const char *rules, *line;
	} rows[] = {
		{"*filter\n-A FORWARD -j ACCEPT", "TRACE: filter:FORWARD:policy:1 "},
		{"*filter\n-A FORWARD -p udp -j ACCEPT", "TRACE: filter:FORWARD:rule:1 "},
		{"*filter\n-A FORWARD -m @0 -j DROP", "TRACE: filter:FORWARD:rule:1 "},
		{"*filter\n-A FORWARD\n-A FORWARD -j DROP", "TRACE: filter:FORWARD:rule:1 "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL, rows[i].rules, exts);
		struct pkt *p = udp(&plain, 10);

		logged[0] = '\0';
		p->flags |= PKT_TRACE;
		forward(rs, p, NULL);
		assert_memory_equal(logged, rows[i].line, strlen(rows[i].line));
		test_pkt_free(&env, p);
		ruleset_free(rs);
	}
}

/* ---- what is refused ---- */

static const struct {
	const char *text, *why;
} refused[] = {
	{"*filter\n-A FORWARD\n-A FORWARD -m @0 -m @11 -j ACCEPT",
		"filter FORWARD rule 2: match physdev is not supported"},
	{"*filter\n-A FORWARD -j @13", "filter FORWARD rule 1: target AUDIT is not supported"},
	{"*filter\n-A FORWARD -m @9",
		"filter FORWARD rule 1: match comment is not supported in revision 7"},
	{"*mangle\n-A INPUT -m @10",
		"mangle INPUT rule 1: match mark: options of 4 bytes, 16 expected"},
	{"*filter\n-A FORWARD -m @8", "filter FORWARD rule 1: match tcp needs -p tcp"},
	{"*filter\n-A FORWARD ! -p tcp -m @8", "filter FORWARD rule 1: match tcp needs -p tcp"},
	{"*filter\n-A FORWARD -j @3", ""},
	{"*filter\n-A FORWARD -j @12",
		"filter FORWARD rule 1: target TRACE is not allowed in table filter"},
	{"*filter\n-A OUTPUT -m @7", "filter OUTPUT rule 1: match mac is not allowed from OUTPUT"},
	{"*filter\n:a -\n:b -\n-A OUTPUT -j a\n-A FORWARD -j a\n-A a -g b\n-A b -m @7",
		"filter b rule 1: match mac is not allowed from OUTPUT"},
	{"*filter\n:a -\n-A a -m @7\n-A FORWARD -j a", ""},
	{"*filter\n-A FORWARD -j nowhere", "filter FORWARD rule 1: no chain nowhere"},
	{"*filter\n-A FORWARD -j INPUT",
		"filter FORWARD rule 1: no rule may jump to INPUT, which is built in"},
	{"*filter\n:a -\n:b -\n-A a -j b\n-A b\n-A b -j a",
		"filter b rule 2: a jump to a makes a loop of chains: a -> b -> a"},
	{"*filter\n:a -\n:b -\n:c -\n-A FORWARD -j a\n-A a -j b\n-A b -g c\n-A c -j b",
		"filter c rule 1: a jump to b makes a loop of chains: b -> c -> b"},
	{"*filter\n:a -\n-A a -j a", "filter a rule 1: a jump to a makes a loop of chains: a -> a"},
};

static void
refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		assert_string_equal(test_refusal(&t, NULL, refused[i].text, exts), refused[i].why);
}

/* What rules_decode() lets nobody send, and a tree can still hold. */
static void
break_tree(struct rules *r, unsigned how)
{
	struct rules_tab *tab = &r->tables[TABLE_FILTER];
	struct rules_chain *forward = rules_chain(tab, "FORWARD");

	switch (how) {
	case 0:
		forward->rules[0].dst = test_addr("::1");
		break;
	case 1:
		forward->rules[0].action = ACTION_COUNT;
		break;
	case 2:
		forward->rules[0].n_matches = RULES_MATCHES_MAX + 1;
		break;
	case 3:
		forward->hook = RULES_PREROUTING;
		break;
	case 4:
		forward->policy = ACTION_RETURN;
		break;
	case 5:
		rules_chain_remove(tab, forward);
		break;
	case 6:
		strcpy(rules_chain(tab, "a")->name, "b");
		break;
	}
}

static void
odd_trees(void **state)
{
	static const char *const sentences[] = {
		"filter FORWARD rule 1: addresses must be IPv4",
		"filter FORWARD rule 1: unknown action 8",
		"filter FORWARD rule 1: 65 matches, at most 64 are supported",
		"filter FORWARD: no such built-in chain",
		"filter FORWARD: the policy must be ACCEPT or DROP",
		"filter FORWARD: the built-in chain is missing",
		"filter b: there are two of that name",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(sentences) / sizeof(*sentences); i++) {
		struct rules *r =
			test_rules("*filter\n:a -\n:b -\n-A FORWARD\n-A FORWARD -m @0", exts);
		char why[256];

		break_tree(r, i);
		assert_null(ruleset_new(r, &t.r, NULL, NULL, why, sizeof(why)));
		assert_int_equal(errno, EINVAL);
		assert_string_equal(why, sentences[i]);
		rules_free(r);
	}
}

/* n chains, each jumps to the next; the last accepts. */
static struct rules *
nested(uint32_t n)
{
	struct rules *r = test_rules("*filter\n:FORWARD DROP\n", exts);
	struct rules_tab *tab = &r->tables[TABLE_FILTER];
	struct rules_chain *c = rules_chain(tab, "FORWARD");
	struct rules_rule rule = test_rule();
	uint32_t i;

	rule.action = ACTION_JUMP;
	for (i = 0; i < n; i++) {
		snprintf(rule.chain, sizeof(rule.chain), "c%u", i);
		assert_int_equal(rules_rule_insert(r, c, 0, &rule), 0);
		c = rules_chain_add(r, tab, rule.chain);
	}
	rule.action = ACTION_ACCEPT;
	assert_int_equal(rules_rule_insert(r, c, 0, &rule), 0);
	return r;
}

static void
depths(void **state)
{
	struct rules *r = nested(RULESET_DEPTH_MAX);
	char why[256] = "";
	struct ruleset *rs = ruleset_new(r, &t.r, NULL, NULL, why, sizeof(why));

	(void)state;
	assert_string_equal(why, "");
	assert_int_equal(rs->tables[TABLE_FILTER].depth, RULESET_DEPTH_MAX);
	ruleset_begin(rs, 1);
	assert_int_equal(forward_plain(rs, NULL), FILTER_ACCEPT);
	ruleset_free(rs);
	r = nested(RULESET_DEPTH_MAX + 1);
	assert_null(ruleset_new(r, &t.r, NULL, NULL, why, sizeof(why)));
	assert_string_equal(why, "filter FORWARD: jumps more than 1024 chains deep");
	assert_int_equal(errno, EINVAL);
	rules_free(r);
}

static void
reached_from(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n:z -\n:a -\n:b -\n:alone -\n-A INPUT -j a\n-A FORWARD -j b\n-A a -j "
		"b\n-A b -g z\n-A alone",
		exts);
	struct ruleset_chain *const *c = rs->tables[TABLE_FILTER].chains;

	(void)state;
	assert_int_equal(c[0]->hooks, 1 << RULES_INPUT);
	assert_int_equal(c[3]->hooks, 1 << RULES_INPUT | 1 << RULES_FORWARD);
	assert_int_equal(c[4]->hooks, 1 << RULES_INPUT);
	assert_int_equal(c[5]->hooks, 1 << RULES_INPUT | 1 << RULES_FORWARD);
	assert_int_equal(c[6]->hooks, 0);
	assert_int_equal(rs->tables[TABLE_FILTER].depth, 2);
	ruleset_free(rs);
}

static void
needs(void **state)
{
	struct ruleset *rs =
		test_ruleset(&env, &t, NULL, NULL, "*filter\n-A FORWARD -m @0\n*nat", exts);

	(void)state;
	assert_int_equal(rs->needs, 0);
	assert_int_equal(rs->serial, 1);
	ruleset_free(rs);
	rs = test_ruleset(&env, &t, NULL, NULL, "*nat\n-A OUTPUT", exts);
	assert_int_equal(rs->needs, NEEDS_CONNTRACK);
	ruleset_free(rs);
}

/* ---- from one ruleset to the next ---- */

static struct ruleset *
swap(struct ruleset *before, const char *text)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, before, text, exts);

	assert_int_equal(rs->serial, before->serial + 1);
	ruleset_free(before);
	return rs;
}

static void
counters_survive(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n:FORWARD ACCEPT [100:2000]\n:a -\n-A FORWARD -s 10.0.0.2 -c 10 100\n-A "
		"FORWARD -j a -c 20 200\n-A a -c 30 300\n",
		exts);

	(void)state;
	forward_plain(rs, NULL);
	check_counts(rs, "FORWARD/0=101 FORWARD/1=11 FORWARD/2=21 a/1=31");
	/* another order, one more, a new chain, another policy */
	rs = swap(rs, "*filter\n:FORWARD DROP\n:b -\n:a -\n-A FORWARD -j a\n-A FORWARD\n-A FORWARD "
		      "-s 10.0.0.2\n-A a\n-A b\n");
	check_counts(rs, "FORWARD/0=101 FORWARD/1=21 FORWARD/2=0 FORWARD/3=11 a/1=31 b/1=0");
	/* the same rule of another chain is another rule; subtracting loses nothing, and never
	 * wraps */
	rs = swap(rs, "*filter\n:FORWARD DROP [0:0]\n:b -\n-A FORWARD -s 10.0.0.2 -z 4 40\n-A "
		      "FORWARD -z 1 1\n-A b\n");
	check_counts(rs, "FORWARD/0=0 FORWARD/1=7 FORWARD/2=0 b/1=0");
	assert_int_equal(rs->tables[TABLE_FILTER].chains[1]->rules[0].live->bytes, 100 + 38 - 40);
	ruleset_free(rs);
}

static void
equal_rules(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n-A FORWARD -p udp -c 1 0\n-A FORWARD -p tcp -c 2 0\n-A FORWARD -p udp -c "
		"3 0\n-A FORWARD -p udp -c 4 0\n",
		exts);

	(void)state;
	rs = swap(rs, "*filter\n-A FORWARD -s 1.1.1.1\n-A FORWARD -p udp\n-A FORWARD -p udp\n-A "
		      "FORWARD -p tcp\n-A FORWARD -p udp\n-A FORWARD -p udp\n");
	check_counts(rs, "FORWARD/1=0 FORWARD/2=1 FORWARD/3=3 FORWARD/4=2 FORWARD/5=4 FORWARD/6=0");
	rs = swap(rs, "*filter\n-A FORWARD -p udp\n-A FORWARD -p udp\n-A FORWARD -p udp -z 1 0\n");
	check_counts(rs, "FORWARD/1=1 FORWARD/2=3 FORWARD/3=3");
	ruleset_free(rs);
}

/* A token bucket of three and a position in threes go on where they were. */
static void
state_survives(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n-A FORWARD -m @0 -m @6\n-A FORWARD -m @5 -j ACCEPT\n-A FORWARD -j DROP",
		exts);
	unsigned i, passed = 0;

	(void)state;
	for (i = 0; i < 2; i++)
		passed += forward_plain(rs, NULL) == FILTER_ACCEPT;
	rs = swap(rs, "*filter\n-A FORWARD -p tcp\n-A FORWARD -m @5\n-A FORWARD -m @0 -m @6\n"
		      "-A FORWARD -m @5 -j ACCEPT\n-A FORWARD -j DROP");
	check_counts(rs, "FORWARD/2=0 FORWARD/3=1 FORWARD/4=2");
	passed += forward_plain(rs, NULL) == FILTER_ACCEPT;
	check_counts(rs, "FORWARD/2=1 FORWARD/3=1 FORWARD/4=3");
	passed += forward_plain(rs, NULL) == FILTER_ACCEPT;
	check_counts(rs, "FORWARD/2=2 FORWARD/3=2 FORWARD/4=3 FORWARD/5=1");
	assert_int_equal(passed, 3);
	ruleset_free(rs);
}

/* Both are there for a while; a refused one leaves no trace. */
static void
refused_swap(void **state)
{
	struct ruleset *rs = test_ruleset(
		&env, &t, NULL, NULL, "*filter\n-A FORWARD -m @5\n-A FORWARD -m @6", exts);
	struct rules *next =
		test_rules("*filter\n-A FORWARD -m @6\n-A FORWARD -m @5\n-A FORWARD -m @11", exts);
	char why[256];

	(void)state;
	assert_null(ruleset_new(next, &t.r, NULL, rs, why, sizeof(why)));
	rules_free(next);
	forward_plain(rs, NULL);
	check_counts(rs, "FORWARD/1=1 FORWARD/0=1");
	assert_int_equal(rs->tables[TABLE_FILTER].chains[1]->rules[0].live->refs, 1);
	ruleset_free(rs);
}

static void
encoded(void **state)
{
	struct ruleset *rs = test_ruleset(&env, &t, NULL, NULL,
		"*filter\n:FORWARD DROP [5:50]\n:a -\n-A FORWARD -c 1 100 -j a\n-A a -m @0", exts);
	struct rules *r;
	uint8_t *bytes;
	char why[256];
	size_t len;

	(void)state;
	forward_plain(rs, NULL);
	bytes = ruleset_encode(rs, &len);
	r = rules_decode(bytes, len, why, sizeof(why));
	free(bytes);
	assert_non_null(r);
	assert_int_equal(r->tables[TABLE_FILTER].chains[1]->count.packets, 6);
	assert_int_equal(r->tables[TABLE_FILTER].chains[1]->rules[0].count.how, COUNT_SET);
	assert_int_equal(r->tables[TABLE_FILTER].chains[1]->rules[0].count.bytes, 138);
	assert_int_equal(rules_chain(&r->tables[TABLE_FILTER], "a")->rules[0].count.packets, 1);
	rules_free(r);
	ruleset_free(rs);
}

/* ---- with the compiled form of a chain ---- */

/* Rules that do not match, then a target that goes on, and a rule that sees what it did. */
static void
long_text(char *to, size_t size, const char *first)
{
	size_t len = (size_t)snprintf(to, size, "*filter\n:FORWARD DROP\n%s", first);
	unsigned i;

	for (i = 0; i < 60; i++)
		len += (size_t)snprintf(
			to + len, size - len, "-A FORWARD -s 10.9.0.%u -j DROP\n", i);
	snprintf(to + len, size - len,
		"-A FORWARD -j @3\n-A FORWARD -d 10.1.0.2 -m @1\n-A FORWARD -m @2 -j DROP\n"
		"-A FORWARD -s 10.0.0.2 -m @1 -j ACCEPT\n");
}

static void
compiled(void **state)
{
	struct ruleset_chain *chain;
	struct classifier *c;
	struct ruleset *rs;
	char text[4096];

	(void)state;
	long_text(text, sizeof(text), "");
	rs = test_ruleset(&env, &t, NULL, NULL, text, exts);
	chain = rs->tables[TABLE_FILTER].chains[1];
	assert_int_equal(forward_plain(rs, NULL), FILTER_ACCEPT);
	c = classifier_new(chain, NULL);
	assert_non_null(c);
	classifier_publish(chain, c);
	assert_int_equal(forward_plain(rs, NULL), FILTER_ACCEPT);
	check_counts(
		rs, "FORWARD/1=0 FORWARD/60=0 FORWARD/61=2 FORWARD/62=2 FORWARD/63=0 FORWARD/64=2");
	long_text(text, sizeof(text), "-A FORWARD -p udp\n");
	rs = swap(rs, text);
	assert_non_null(atomic_load(&rs->tables[TABLE_FILTER].chains[1]->classifier));
	assert_int_equal(forward_plain(rs, NULL), FILTER_ACCEPT);
	check_counts(
		rs, "FORWARD/1=1 FORWARD/61=0 FORWARD/62=3 FORWARD/63=3 FORWARD/64=0 FORWARD/65=3");
	ruleset_free(rs);
}

/* ---- random trees against a naive twin ---- */

enum { TREES = 300, PACKETS = 40, BACK = -1 };

static uint32_t
below(uint32_t n)
{
	return env_random(&env.env) % n;
}

static struct ip_addr
random_addr(void)
{
	return ip4(htonl(0x0a000000 | below(4) << 16 | below(4)));
}

static void
random_header(struct rules_rule *rule)
{
	static const char *const names[] = {"", "", "eth0", "eth1", "eth+", "+", "iucv0", "eth"};
	static const uint32_t masks[] = {0, 0, 0xff000000, 0xffff0000, 0xffffffff, 0xff00ff01};
	static const uint16_t protos[] = {0, 0, 0, 6, 17};

	rule->src_mask = ip4(htonl(masks[below(6)]));
	rule->dst_mask = ip4(htonl(masks[below(6)]));
	rule->src = random_addr();
	rule->dst = random_addr();
	rule->src.v4 &= rule->src_mask.v4;
	rule->dst.v4 &= rule->dst_mask.v4;
	strcpy(rule->in, names[below(8)]);
	strcpy(rule->out, names[below(8)]);
	rule->proto = protos[below(5)];
	if (below(2))
		rule->flags = (uint8_t)(below(64) & below(64) & ~RULE_FRAGMENT);
	if (below(8) == 0)
		rule->flags |= below(2) ? RULE_FRAGMENT : RULE_NOT_FRAGMENT;
}

/* `at`: the chain's index; it only jumps to later ones. */
static void
random_chain(struct rules *r, struct rules_tab *tab, uint32_t at)
{
	static const uint8_t actions[] = {ACTION_NONE, ACTION_ACCEPT, ACTION_DROP, ACTION_QUEUE,
		ACTION_RETURN, ACTION_JUMP, ACTION_JUMP, ACTION_GOTO};
	uint32_t n = below(12), first = at < 3 ? 3 : at + 1;

	while (n-- > 0) {
		struct rules_rule rule = test_rule();

		if (below(3))
			random_header(&rule);
		rule.action = actions[below(8)];
		if (rule.action == ACTION_JUMP || rule.action == ACTION_GOTO) {
			if (first >= tab->n_chains)
				continue;
			strcpy(rule.chain, tab->chains[first + below(tab->n_chains - first)]->name);
		}
		assert_int_equal(
			rules_rule_insert(r, tab->chains[at], tab->chains[at]->n_rules, &rule), 0);
	}
	if (tab->chains[at]->hook >= 0 && below(2))
		tab->chains[at]->policy = ACTION_DROP;
}

static struct rules *
random_rules(void)
{
	struct rules *r = rules_new();
	struct rules_tab *tab = rules_table(r, TABLE_FILTER);
	uint32_t i, n = below(8);
	char name[RULES_NAME];

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "u%u", i);
		rules_chain_add(r, tab, name);
	}
	for (i = 0; i < tab->n_chains; i++)
		random_chain(r, tab, i);
	return r;
}

static bool
naive_name(const char *rule, const char *name)
{
	size_t len = strlen(rule);

	if (len == 0)
		return true;
	return rule[len - 1] == '+' ? strncmp(rule, name, len - 1) == 0 : strcmp(rule, name) == 0;
}

static bool
naive_header(const struct rules_rule *r, const struct filter_ctx *c)
{
	const struct iphdr *ip = pkt_ip4(c->p);
	bool later = (ntohs(ip->frag_off) & IP_OFFMASK) != 0;

	if (((ip->saddr & r->src_mask.v4) == r->src.v4) == !!(r->flags & RULE_NOT_SRC))
		return false;
	if (((ip->daddr & r->dst_mask.v4) == r->dst.v4) == !!(r->flags & RULE_NOT_DST))
		return false;
	if (naive_name(r->in, c->in ? c->in->name : "") == !!(r->flags & RULE_NOT_IN))
		return false;
	if (naive_name(r->out, c->out ? c->out->name : "") == !!(r->flags & RULE_NOT_OUT))
		return false;
	if (r->proto && (ip->protocol == r->proto) == !!(r->flags & RULE_NOT_PROTO))
		return false;
	if (r->flags & RULE_FRAGMENT)
		return later;
	return !(r->flags & RULE_NOT_FRAGMENT) || !later;
}

/* => a verdict, or BACK. */
static int
naive_chain(struct rules_tab *tab, struct rules_chain *chain, const struct filter_ctx *c)
{
	static const int verdicts[] = {[ACTION_ACCEPT] = FILTER_ACCEPT,
		[ACTION_DROP] = FILTER_DROP,
		[ACTION_QUEUE] = FILTER_QUEUE,
		[ACTION_RETURN] = BACK};
	uint32_t i;
	int v;

	for (i = 0; i < chain->n_rules; i++) {
		struct rules_rule *r = &chain->rules[i];

		if (!naive_header(r, c))
			continue;
		r->count.packets++;
		r->count.bytes += pkt_len(c->p);
		if (r->action == ACTION_NONE)
			continue;
		if (r->action != ACTION_JUMP && r->action != ACTION_GOTO)
			return verdicts[r->action];
		v = naive_chain(tab, rules_chain(tab, r->chain), c);
		if (v != BACK || r->action == ACTION_GOTO)
			return v;
	}
	return BACK;
}

static enum filter_verdict
naive_run(struct rules *rules, const struct filter_ctx *c)
{
	struct rules_tab *tab = &rules->tables[TABLE_FILTER];
	struct rules_chain *entry = tab->chains[c->hook - RULES_INPUT];
	int v = naive_chain(tab, entry, c);

	if (v != BACK)
		return (enum filter_verdict)v;
	entry->count.packets++;
	entry->count.bytes += pkt_len(c->p);
	return entry->policy == ACTION_ACCEPT ? FILTER_ACCEPT : FILTER_DROP;
}

static struct pkt *
random_packet(void)
{
	char src[ADDR_TEXT], dst[ADDR_TEXT];
	struct ip_addr from = random_addr(), to = random_addr();
	struct test_ip ip = {.src = ip_text(&from, src), .dst = ip_text(&to, dst)};
	uint8_t buf[512];
	struct pkt *p;

	if (below(4) == 0)
		ip.frag_off = 20;
	if (below(2))
		p = test_pkt(&env, buf, test_udp(buf, &ip, 1, 2, below(100)));
	else
		p = test_pkt(&env, buf, test_tcp(buf, &ip, 1, 2, below(100)));
	assert_int_equal(pkt_parse(p), DROP_NONE);
	return p;
}

static void
compare_counts(const struct ruleset *rs, const struct rules *naive)
{
	const struct rules_tab *tab = &naive->tables[TABLE_FILTER];
	uint32_t i, j;

	for (i = 0; i < tab->n_chains; i++) {
		const struct ruleset_chain *c = rs->tables[TABLE_FILTER].chains[i];

		if (c->live)
			assert_int_equal(c->live->packets, tab->chains[i]->count.packets);
		for (j = 0; j < c->n_rules; j++) {
			assert_int_equal(
				c->rules[j].live->packets, tab->chains[i]->rules[j].count.packets);
			assert_int_equal(
				c->rules[j].live->bytes, tab->chains[i]->rules[j].count.bytes);
		}
	}
}

static void
compare_headers(const struct ruleset *rs, const struct rules *naive, const struct filter_ctx *c)
{
	const struct ruleset_chain *chain = rs->tables[TABLE_FILTER].chains[below(3)];
	const struct rules_chain *tree = rules_chain(&naive->tables[TABLE_FILTER], chain->name);
	uint32_t i;

	for (i = 0; i < chain->n_rules; i++)
		assert_int_equal(
			rule_header_matches(&chain->rules[i], c), naive_header(&tree->rules[i], c));
}

static struct rules *
copy_rules(const struct rules *r)
{
	char why[256];
	size_t len;
	uint8_t *bytes = rules_encode(r, &len);
	struct rules *copy = rules_decode(bytes, len, why, sizeof(why));

	assert_non_null(copy);
	free(bytes);
	return copy;
}

static void
random_trees(void **state)
{
	char why[256];

	(void)state;
	env.env.random = test_seed();
	for (unsigned tree = 0; tree < TREES; tree++) {
		struct rules *rules = random_rules(), *naive = copy_rules(rules);
		struct ruleset *rs = ruleset_new(rules, &t.r, NULL, NULL, why, sizeof(why));

		assert_non_null(rs);
		ruleset_begin(rs, 1);
		for (unsigned i = 0; i < PACKETS; i++) {
			struct pkt *p = random_packet();
			enum rules_hook hook = RULES_INPUT + below(3);
			struct filter_ctx c = test_filter_ctx(&env, &t, p, rs, TABLE_FILTER, hook,
				hook == RULES_OUTPUT ? 0 : (uint16_t)(1 + below(5)),
				hook == RULES_INPUT ? 0 : (uint16_t)(1 + below(5)));

			compare_headers(rs, naive, &c);
			assert_int_equal(ruleset_run(rs, &c), naive_run(naive, &c));
			test_pkt_free(&env, p);
		}
		compare_counts(rs, naive);
		rules_free(naive);
		ruleset_free(rs);
	}
}

/* Which of the old counters goes where, against looking for the first equal rule not yet taken. */
static void
random_takeover(void **state)
{
	char why[256];

	(void)state;
	env.env.random = test_seed();
	for (unsigned tree = 0; tree < TREES; tree++) {
		struct rules *a = test_rules("*filter", exts), *b = test_rules("*filter", exts);
		struct rules_chain *ca = a->tables[TABLE_FILTER].chains[0],
				   *cb = b->tables[TABLE_FILTER].chains[0];
		struct ruleset *ra, *rb;
		bool taken[64] = {false};
		uint32_t i, j, na = below(30), nb = below(30);
		struct rules_rule rule = test_rule();

		for (i = 0; i < na; i++) {
			rule.proto = (uint16_t)below(6);
			assert_int_equal(rules_rule_insert(a, ca, i, &rule), 0);
		}
		for (i = 0; i < nb; i++) {
			rule.proto = (uint16_t)below(6);
			assert_int_equal(rules_rule_insert(b, cb, i, &rule), 0);
		}
		ra = ruleset_new(a, &t.r, NULL, NULL, why, sizeof(why));
		rb = ruleset_new(b, &t.r, NULL, ra, why, sizeof(why));
		for (i = 0; i < nb; i++) {
			struct rule_live *live = rb->tables[TABLE_FILTER].chains[0]->rules[i].live;

			for (j = 0; j < na; j++)
				if (!taken[j] && ca->rules[j].proto == cb->rules[i].proto)
					break;
			assert_int_equal(live->refs, j < na ? 2 : 1);
			if (j == na)
				continue;
			taken[j] = true;
			assert_ptr_equal(live, ra->tables[TABLE_FILTER].chains[0]->rules[j].live);
		}
		ruleset_free(ra);
		ruleset_free(rb);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(meanings),
		TEST(later_fragments),
		TEST(malformed),
		TEST(hooks_and_tables),
		TEST(super_packets_count_once),
		TEST(recording),
		TEST(traces),
		TEST(traces_of_ends),
		TEST(refusals),
		TEST(odd_trees),
		TEST(depths),
		TEST(reached_from),
		TEST(needs),
		TEST(counters_survive),
		TEST(equal_rules),
		TEST(state_survives),
		TEST(refused_swap),
		TEST(encoded),
		TEST(compiled),
		TEST(random_trees),
		TEST(random_takeover),
	};

	return cmocka_run_group_tests(tests, fill_exts, free_exts);
}
