/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/faults.h"

#include "tests/oracle/generate.h"
#include "tests/oracle/nat_faults.h"

#include "fabric/base/csum.h"

#include <ctype.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>

/* What our side takes for another: a bit of TCP's flags, so transitions of the state machine are missed; ids of ICMP; sequence numbers. */
static const struct packet_fault {
	const char *name;
	uint8_t proto;
	uint8_t at;   /* byte of the layer 4 header */
	uint8_t flip;
} packet_faults[] = {
	{"tcp FIN", IPPROTO_TCP, 13, 1},
	{"tcp SYN", IPPROTO_TCP, 13, 2},
	{"tcp RST", IPPROTO_TCP, 13, 4},
	{"tcp ACK", IPPROTO_TCP, 13, 16},
	{"tcp sequence", IPPROTO_TCP, 4, 0x40},
	{"tcp acknowledgment", IPPROTO_TCP, 8, 0x40},
	{"tcp port", IPPROTO_TCP, 3, 1},
	{"udp port", IPPROTO_UDP, 3, 1},
	{"icmp type", IPPROTO_ICMP, 0, 1},
	{"icmp id", IPPROTO_ICMP, 5, 1},
};

enum { N_PACKET_FAULTS = sizeof(packet_faults) / sizeof(*packet_faults) };

static unsigned
first_nat_fault(void)
{
	return ext_count() + N_PACKET_FAULTS;
}

static unsigned planted = UINT32_MAX;

unsigned
fault_count(void)
{
	return first_nat_fault() + NAT_FAULT_COUNT;
}

const char *
fault_name(unsigned i)
{
	if (i >= first_nat_fault())
		return nat_fault_name(i - first_nat_fault());
	return i < ext_count() ? ext_name(i) : packet_faults[i - ext_count()].name;
}

/* With a nat table only what it brings is looked for. A comment has nothing to be misunderstood. */
bool
fault_visible(unsigned i)
{
	bool translates = i >= first_nat_fault() || (i < ext_count() && ext_translates(i));

	if (rulesets_have_nat() || translates)
		return rulesets_have_nat() && translates;
	return strcmp(fault_name(i), "comment") != 0;
}

void
fault_plant(unsigned i)
{
	planted = i;
	nat_fault_plant(i >= first_nat_fault() && i < fault_count() ? i - first_nat_fault() : NAT_FAULT_COUNT);
}

/* The end of the options that begin at `at`. */
static char *
options_end(char *at)
{
	char *end = at + strcspn(at, "\n"), *p;

	for (p = at; p < end; p++)
		if (strncmp(p, " -m ", 4) == 0 || strncmp(p, " -j ", 4) == 0 || strncmp(p, " -g ", 4) == 0)
			return p;
	return end;
}

/* The last number becomes another one. => false: there is none. */
static bool
change_number(char *at, char *end)
{
	while (end-- > at)
		if (isdigit((unsigned char)*end) && !isalpha((unsigned char)end[-1])) {
			*end ^= 1;
			return true;
		}
	return false;
}

/* Copies up to `end`, with what begins at `options` turned round. */
static void
write_changed(FILE *f, const char *options, const char *end, bool target)
{
	int len = (int)(end - options);

	if (target)
		fprintf(f, "ACCEPT");
	else if (strncmp(options, " !", 2) == 0)
		fprintf(f, "%.*s", len - 2, options + 2);
	else if (strncmp(options, " --", 3) == 0)
		fprintf(f, " !%.*s", len, options);
	else
		fprintf(f, "%.*s", len, options);
}

/* Matches are inverted where they can be; targets become ACCEPT. */
static bool
may_invert(const char *name)
{
	static const char *const cannot[] = {"tcp", "udp", "multiport", "iprange", "length", "ttl", "addrtype", "limit", "hashlimit", "connlimit", "statistic",
		"comment", "u32", "time", "conntrack"};
	unsigned i;

	for (i = 0; i < sizeof(cannot) / sizeof(*cannot); i++)
		if (strcmp(cannot[i], name) == 0)
			return false;
	return true;
}

static void
change_line(FILE *f, char *line, const char *name)
{
	static const char never[] = " --datestart 2036-01-01T00:00:00";
	char word[2][48], *at, *options, *end, *next = strchr(line, '\n');
	bool target = false;

	snprintf(word[0], sizeof(word[0]), " -m %s ", name);
	snprintf(word[1], sizeof(word[1]), " -j %s", name);
	at = strstr(line, word[0]);
	if (!at || (next && at > next)) {
		target = true;
		at = strstr(line, word[1]);
	}
	if (!at || (next && at > next)) {
		fprintf(f, "%.*s\n", (int)strcspn(line, "\n"), line);
		return;
	}
	options = at + (target ? 4 : strlen(word[0]) - 1);
	end = options_end(options);
	if (strcmp(name, "time") == 0) {
		fprintf(f, "%.*s%s%.*s\n", (int)(options - line), line, never, (int)strcspn(end, "\n"), end);
		return;
	}
	if (!target && !may_invert(name) && change_number(options, end)) {
		fprintf(f, "%.*s\n", (int)strcspn(line, "\n"), line);
		return;
	}
	fprintf(f, "%.*s", (int)(options - line), line);
	write_changed(f, options, end, target);
	fprintf(f, "%.*s\n", (int)strcspn(end, "\n"), end);
}

char *
fault_rules(const char *text)
{
	char *copy = strdup(text), *line, *out = NULL;
	size_t size;
	FILE *f;

	if (!copy || planted >= ext_count())
		return copy;
	f = open_memstream(&out, &size);
	for (line = copy; *line; line += strcspn(line, "\n"), line += *line == '\n')
		change_line(f, line, ext_name(planted));
	fclose(f);
	free(copy);
	return out;
}

void
fault_packet(struct frame *f)
{
	const struct packet_fault *how;
	const struct iphdr *ip = (const struct iphdr *)f->data;
	size_t l4, sum_at;
	uint16_t sum, was, now;

	if (planted < ext_count() || planted >= first_nat_fault())
		return;
	how = &packet_faults[planted - ext_count()];
	l4 = ip->ihl * 4u;
	sum_at = l4 + (how->proto == IPPROTO_TCP ? 16 : how->proto == IPPROTO_UDP ? 6 : 2);
	if (f->len < l4 + 20 || ip->protocol != how->proto || ip->frag_off & htons(IP_OFFMASK))
		return;
	memcpy(&was, f->data + l4 + (how->at & ~1u), 2);
	f->data[l4 + how->at] ^= how->flip;
	memcpy(&now, f->data + l4 + (how->at & ~1u), 2);
	memcpy(&sum, f->data + sum_at, 2);
	sum = csum_replace2(sum, was, now);
	memcpy(f->data + sum_at, &sum, 2);
}
