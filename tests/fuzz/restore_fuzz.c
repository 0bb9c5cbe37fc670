/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of iptables-restore: whatever it is, reading it ends with rules or with one error that
 * names its line. Rules survive their way over the wire and back to text. libxtables keeps lists of
 * its own: nothing of one text may be seen in the reading of the next.
 */
#include "filters/iptables/iptables.h"

#include <ctype.h>
#include <nss.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4096, COMMAS_MAX = 40, LINE_MAX_READ = 10238, WHY = 600 };

/* What an input is followed by: rules that read the same each time. */
static const char probe[] =
	"*filter\n"
	":mine - [0:0]\n"
	"-A INPUT -p tcp --dport 80 -m conntrack --ctstate NEW -m limit -j LOG --log-prefix a\n"
	"-A INPUT -m hashlimit --hashlimit-upto 5/sec --hashlimit-name b -m recent --set -j mine\n"
	"-A INPUT -p icmp --icmp-type 8 -m connlimit --connlimit-above 3 -j REJECT\n"
	"-A FORWARD -m set --match-set c src -m comment --comment d -j SET --add-set c src\n"
	"-A FORWARD -p udp -m multiport --ports 1,2 -m mark --mark 1 -m time -j NFLOG\n"
	"-A mine -j TRACE -m string --algo bm --string e -m statistic --mode nth --every 2 "
	"--packet 0\n"
	"COMMIT\n"
	"*mangle\n"
	"-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu\n"
	"-A FORWARD -m tos --tos 4 -m ttl --ttl-lt 9 -j MARK --set-mark 2\n"
	"COMMIT\n";

/* A tree, and how it reads flat; or the error. */
struct reading {
	struct rules *r;
	uint8_t *bytes;
	size_t len;
	char why[WHY];
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_options(void);

static FILE *report;

/* What libxtables allocated for a rule that it then refused is lost: it is made to end there. */
const char *
__lsan_default_options(void)
{
	return "detect_leaks=0";
}

static void
check(bool good, const char *what, const char *a, const char *b)
{
	if (good)
		return;
	fprintf(report, "%s\n--- %s\n--- %s\n", what, a, b);
	fflush(report);
	abort();
}

/* => in an exactly sized block: what lies behind its end is found. */
static struct reading
read_text(const char *text, size_t len)
{
	struct reading got = {0};
	char *exact = malloc(len + !len);

	check(exact != NULL, "memory", "", "");
	memcpy(exact, text, len);
	got.r = iptables_read(exact, len, "fuzz", got.why, sizeof(got.why));
	free(exact);
	if (!got.r)
		return got;
	got.bytes = rules_encode(got.r, &got.len);
	check(got.bytes != NULL, "encoding", "", "");
	return got;
}

static void
reading_end(struct reading *got)
{
	rules_free(got->r);
	free(got->bytes);
}

static void
check_error(const char *why)
{
	const char *at = why + 5;

	check(strncmp(why, "fuzz:", 5) == 0 && isdigit((unsigned char)*at),
		"an error without a line", why, "");
	while (isdigit((unsigned char)*at))
		at++;
	check(strncmp(at, ": ", 2) == 0 && at[2], "an error without words", why, "");
	check(!strchr(at, '\n'), "an error of two lines", why, "");
}

static void
check_same(const struct reading *a, const struct reading *b, const char *what)
{
	check(!a->r == !b->r, what, a->why, b->why);
	if (a->r)
		check(a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0, what, "", "");
	else
		check(strcmp(a->why, b->why) == 0, what, a->why, b->why);
}

static void
check_wire(const struct reading *got)
{
	char why[WHY] = "";
	struct rules *r = rules_decode(got->bytes, got->len, why, sizeof(why));
	uint8_t *again;
	size_t len;

	check(r != NULL, "what was read is refused", why, "");
	again = rules_encode(r, &len);
	check(again && len == got->len && memcmp(again, got->bytes, len) == 0,
		"changed by the wire", "", "");
	free(again);
	rules_free(r);
}

static char *
write_text(const struct rules *r, size_t *len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, len);

	check(to && iptables_write(r, false, to) == 0 && fclose(to) == 0, "writing", "", "");
	return text;
}

/* What reads well may be written in longer words. */
static bool
lines_fit(const char *text)
{
	size_t len;

	for (; *text; text += len + 1) {
		len = strcspn(text, "\n");
		if (len > LINE_MAX_READ)
			return false;
	}
	return true;
}

static void
check_chain(const struct rules_chain *a, const struct rules_chain *b, const char *text)
{
	check(b && a->hook == b->hook && a->policy == b->policy && a->n_rules == b->n_rules,
		"a chain changed by writing", a->name, text);
	for (uint32_t i = 0; i < a->n_rules; i++)
		if (!rules_rule_equal(&a->rules[i], &b->rules[i])) {
			fprintf(report, "rule %u of %s\n", i + 1, a->name);
			check(false, "a rule changed by writing", text, "");
		}
}

/* Chains of the user's are written in the order of their names. */
static void
check_equal(const struct rules *a, const struct rules *b, const char *text)
{
	for (unsigned t = 0; t < TABLE_COUNT; t++) {
		const struct rules_tab *x = &a->tables[t], *y = &b->tables[t];

		check(x->present == y->present && x->n_chains == y->n_chains,
			"a table changed by writing", text, "");
		for (uint32_t i = 0; i < x->n_chains; i++)
			check_chain(x->chains[i], rules_chain(y, x->chains[i]->name), text);
	}
}

static void
check_written(const struct rules *r)
{
	size_t len, len_again;
	char *text = write_text(r, &len), *text_again;
	struct reading again;

	if (lines_fit(text)) {
		again = read_text(text, len);
		check(again.r != NULL, "what was written is refused", again.why, text);
		text_again = write_text(again.r, &len_again);
		check(strcmp(text, text_again) == 0, "written twice", text, text_again);
		check_equal(r, again.r, text);
		free(text_again);
		reading_end(&again);
	}
	free(text);
}

/* Every pair of addresses is a rule, so a short line can make many. */
static bool
too_many(const char *text, size_t len)
{
	size_t commas = 0;

	for (size_t i = 0; i < len; i++)
		commas += text[i] == ',';
	return commas > COMMAS_MAX;
}

/* Names are those of files: nobody is asked. Notices of libxtables and what -v says go nowhere. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	report = stderr;
	__nss_configure_lookup("hosts", "files");
	__nss_configure_lookup("networks", "files");
	stderr = fopen("/dev/null", "w");
	check(stderr != NULL, "/dev/null", "", "");
	stdout = stderr;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reading known;
	struct reading first, second, after;

	if (size > TEXT_MAX || too_many((const char *)data, size))
		return -1;
	if (!known.r)
		known = read_text(probe, sizeof(probe) - 1);
	check(known.r != NULL, "the probe is refused", known.why, "");
	first = read_text((const char *)data, size);
	after = read_text(probe, sizeof(probe) - 1);
	second = read_text((const char *)data, size);
	check_same(&known, &after, "the next text reads differently");
	check_same(&first, &second, "the same text reads differently");
	if (first.r) {
		check_wire(&first);
		check_written(first.r);
	} else {
		check_error(first.why);
	}
	reading_end(&first);
	reading_end(&second);
	reading_end(&after);
	return 0;
}
