/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/probe.h"

#include <string.h>

static const char *
text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "?";
}

static json_int_t
number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* Milliseconds. */
static double
rtt_of(const json_t *reply)
{
	return json_number_value(json_object_get(reply, "rtt_us")) / 1000;
}

/* Codes of ICMP destination unreachable (RFC 792, RFC 1812 5.2.7.1): as ping says them, as traceroute marks them. */
static const struct {
	const char *text, *mark;
} unreachable[] = {
		[0] = {"Destination Net Unreachable", "!N"},
		[1] = {"Destination Host Unreachable", "!H"},
		[2] = {"Destination Protocol Unreachable", "!P"},
		[3] = {"Destination Port Unreachable", ""},
		[4] = {"Frag needed and DF set", "!F"},
		[5] = {"Source Route Failed", "!S"},
		[6] = {"Destination Net Unknown", "!U"},
		[7] = {"Destination Host Unknown", "!W"},
		[8] = {"Source Host Isolated", "!I"},
		[9] = {"Destination Net Prohibited", "!A"},
		[10] = {"Destination Host Prohibited", "!Z"},
		[11] = {"Destination Net Unreachable for Type of Service", "!Q"},
		[12] = {"Destination Host Unreachable for Type of Service", "!T"},
		[13] = {"Packet filtered", "!X"},
		[14] = {"Precedence Violation", "!V"},
		[15] = {"Precedence Cutoff", "!C"},
};

enum { CODES = sizeof(unreachable) / sizeof(unreachable[0]), FRAG_NEEDED = 4 };

static void
received(struct ping_stats *s, double ms)
{
	if (s->received == 0 || ms < s->min)
		s->min = ms;
	if (s->received == 0 || ms > s->max)
		s->max = ms;
	s->received++;
	s->sum += ms;
	s->squares += ms * ms;
}

/* Three digits that count, as iputils. */
static void
print_time(double ms, FILE *to)
{
	int digits = ms >= 100 ? 0 : ms >= 10 ? 1 : ms >= 1 ? 2 : 3;

	fprintf(to, "time=%.*f ms\n", digits, ms);
}

static void
print_unreachable(const json_t *reply, FILE *to)
{
	json_int_t code = number_of(reply, "code");

	if (code == FRAG_NEEDED)
		fprintf(to, "Frag needed and DF set (mtu = %" JSON_INTEGER_FORMAT ")\n", number_of(reply, "mtu"));
	else if (code >= 0 && code < CODES)
		fprintf(to, "%s\n", unreachable[code].text);
	else
		fprintf(to, "Dest Unreachable, Bad Code: %" JSON_INTEGER_FORMAT "\n", code);
}

void
ping_reply(struct ping_stats *s, const json_t *reply, unsigned seq, const char *dest, FILE *to)
{
	const char *kind = text_of(reply, "reply");
	double ms = rtt_of(reply);

	s->sent++;
	if (strcmp(kind, "echo") == 0) {
		received(s, ms);
		fprintf(to, "%" JSON_INTEGER_FORMAT " bytes from %s: icmp_seq=%u ttl=%" JSON_INTEGER_FORMAT " ",
				number_of(reply, "size") + 8, text_of(reply, "from"), seq, number_of(reply, "ttl"));
		print_time(ms, to);
	} else if (strcmp(kind, "time-exceeded") == 0) {
		s->errors++;
		fprintf(to, "From %s icmp_seq=%u Time to live exceeded\n", text_of(reply, "from"), seq);
	} else if (strcmp(kind, "unreachable") == 0) {
		s->errors++;
		fprintf(to, "From %s icmp_seq=%u ", text_of(reply, "from"), seq);
		print_unreachable(reply, to);
	} else if (strcmp(kind, "drop") == 0) {
		fprintf(to, "icmp_seq=%u to %s was dropped here: %s\n", seq, dest, text_of(reply, "reason"));
	}
}

/* Newton's method; this is all of libm that is needed here. */
static double
square_root(double x)
{
	double root = x > 1 ? x : 1;

	for (int i = 0; i < 64; i++)
		root = (root + x / root) / 2;
	return root;
}

void
ping_summary(const struct ping_stats *s, const char *dest, double elapsed, FILE *to)
{
	double loss = s->sent ? 100.0 * (s->sent - s->received) / s->sent : 0, average, mdev;

	fprintf(to, "\n--- %s ping statistics ---\n%u packets transmitted, %u received", dest, s->sent, s->received);
	if (s->errors)
		fprintf(to, ", +%u errors", s->errors);
	fprintf(to, ", %.6g%% packet loss, time %.0fms\n", loss, elapsed);
	if (s->received == 0)
		return;
	average = s->sum / s->received;
	mdev = s->squares / s->received - average * average;
	mdev = mdev > 0 ? square_root(mdev) : 0;
	fprintf(to, "rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", s->min, average, s->max, mdev);
}

void
traceroute_annotate(const json_t *reply, FILE *to)
{
	json_int_t code = number_of(reply, "code");

	fprintf(to, "  %.3f ms", rtt_of(reply));
	if (strcmp(text_of(reply, "reply"), "unreachable") != 0)
		return;
	if (code == FRAG_NEEDED)
		fprintf(to, " !F-%" JSON_INTEGER_FORMAT, number_of(reply, "mtu"));
	else if (code >= 0 && code < CODES && unreachable[code].mark[0])
		fprintf(to, " %s", unreachable[code].mark);
}
