/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/command.h"
#include "fabric/cli/destination.h"
#include "fabric/cli/edit.h"
#include "fabric/cli/packet_line.h"
#include "fabric/cli/probe.h"
#include "fabric/cli/render.h"
#include "fabric/control/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN "tests/golden/cli/"

/* ---- the command line ---- */

enum { WORDS = 20 };

/* Splits at blanks, in place. => argc */
static int
split(char *line, char **argv)
{
	int argc = 0;

	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

/* Command, then each value as name=text, then the rest behind "--". */
static void
describe(const struct parsed *p, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%s", p->cmd ? p->cmd->path : "-");

	for (size_t i = 0; i < p->n_values; i++)
		n += (size_t)snprintf(out + n, size - n, " %s=%s", p->values[i].arg->name, p->values[i].text);
	for (size_t i = 0; i < p->n_rest; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " " : " -- ", p->rest[i]);
}

static const struct {
	const char *line, *want; /* the description, or "!" and the error */
} lines[] = {
		{"rookery", "-"},
		{"rookery --version", "- version="},
		{"rookery check a.yaml b.yaml --json", "check json= FILE=a.yaml FILE=b.yaml"},
		{"rookery check -- --json", "check FILE=--json"},
		{"rookery lab a.yaml -d", "lab detach= FILE=a.yaml"},
		{"rookery lab stop", "lab stop"},
		{"rookery lab stop two", "lab stop NAME=two"},
		{"rookery -f two show routes", "show routes fabric=two"},
		{"rookery sh ro vmlinux4 -jH", "show routes json= human= NODE=vmlinux4"},
		{"rookery show links --watch=0.5", "show links watch=0.5"},
		{"rookery exec tux -- ls -l", "exec NODE=tux -- ls -l"},
		{"rookery exec tux ls --help -- x", "exec NODE=tux -- ls --help -- x"},
		{"rookery exec -f two tux ls", "exec fabric=two NODE=tux -- ls"},
		{"rookery ping -c3 -i 0.2 r 10.0.0.1", "ping count=3 interval=0.2 NODE=r DEST=10.0.0.1"},
		{"rookery add route r default via 10.0.0.1 dev eth0",
			"add route NODE=r PREFIX=default via=10.0.0.1 dev=eth0"},
		{"rookery add route r 10.0.0.0/8 discard metric 5", "add route NODE=r PREFIX=10.0.0.0/8 discard= metric=5"},
		{"rookery set tunable arp_queue 7", "set tunable NAME=arp_queue VALUE=7"},
		{"rookery set tunable r arp_queue 7", "set tunable NODE=r NAME=arp_queue VALUE=7"},
		{"rookery set interface r eth0 down mtu 1400", "set interface NODE=r INTERFACE=eth0 down= mtu=1400"},
		{"rookery add guest t --to r --run a --run b", "add guest to=r run=a run=b NAME=t"},
		{"rookery capture r:eth0 tcp port 80 -c 5",
			"capture count=5 WHERE=r:eth0 FILTER=tcp FILTER=port FILTER=80"},
		{"rookery ping --help", "ping help="},
		{"rookery help add guest", "help COMMAND=add COMMAND=guest"},

		{"rookery chek", "!unknown command 'chek'; did you mean 'check'?"},
		{"rookery show ruotes", "!unknown command 'show ruotes'; did you mean 'show routes'?"},
		{"rookery frobnicate", "!unknown command 'frobnicate'"},
		{"rookery show", "!'show' needs a further word"},
		{"rookery s l", "!'s' is short for more than one command"},
		{"rookery check", "!FILE is missing"},
		{"rookery exec tux", "!PROGRAM is missing"},
		{"rookery exec tux --", "!PROGRAM is missing"},
		{"rookery lab a b", "!'b' is not expected here"},
		{"rookery lab a --detatch", "!unknown option '--detatch'; did you mean '--detach'?"},
		{"rookery lab a -z", "!unknown option '-z'"},
		{"rookery lab a --detach=1", "!option '--detach' takes no value"},
		{"rookery lab a --log-level", "!option '--log-level' needs a value: LEVEL"},
		{"rookery lab a -l loud", "!log-level: 'loud' is not one of error|warning|notice|info|debug"},
		{"rookery ping -c 0 r x", "!count: '0' is not within 1 to 1000000000"},
		{"rookery ping -c 3x r x", "!count: '3x' is not a number"},
		{"rookery ping -i nan r x", "!interval: 'nan' is not a number"},
		{"rookery ping -c 1 -c 2 r x", "!count is given twice"},
		{"rookery add route r 10/8 discard", "!PREFIX: '10/8' is not a prefix, such as 10.0.0.0/16 or default"},
		{"rookery add route r default via", "!'via' needs a value: ADDRESS"},
		{"rookery add route r default via x", "!via: 'x' is not an address, such as 10.0.0.2"},
		{"rookery add route r default over x", "!'over' is not expected here"},
		{"rookery set tunable arp_queue", "!VALUE is missing"},
		{"rookery show routes --fabric= ", "!fabric: the value is empty"},
};

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[256], have[1024] = "!", *argv[WORDS];
		struct parsed p;
		int argc;

		snprintf(text, sizeof(text), "%s", lines[i].line);
		argc = split(text, argv);
		if (command_parse(commands, argc, argv, &p) < 0)
			snprintf(have + 1, sizeof(have) - 1, "%s", p.error);
		else
			describe(&p, have, sizeof(have));
		parsed_free(&p);
		if (strcmp(have, lines[i].want) != 0)
			print_error("line: %s\n", lines[i].line);
		assert_string_equal(have, lines[i].want);
	}
}

/* Every row can be told, found by its own path, and takes no letter twice. */
static void
test_table(void **state)
{
	(void)state;
	for (const struct command *c = commands; c->path; c++) {
		char path[64], *words[WORDS];
		const struct command *found;
		int n;

		snprintf(path, sizeof(path), "%s", c->path);
		n = split(path, words);
		assert_int_equal(command_find(commands, words, (size_t)n, &found), n);
		assert_ptr_equal(found, c);
		assert_non_null(c->help);
		assert_non_null(c->run);
		for (const struct arg *a = c->options; a && a->name; a++) {
			assert_non_null(a->help);
			assert_true((a->kind == ARG_FLAG) == (a->value == NULL));
			for (const struct arg *b = a + 1; b->name; b++)
				assert_true(!a->letter || a->letter != b->letter);
			for (const struct arg *b = common_options; b->name; b++)
				assert_true(a->letter != b->letter);
		}
	}
}

static void
test_nearest(void **state)
{
	static const char *const names[] = {"vmlinux4", "vmlinux9", "tux0mstr"};

	(void)state;
	assert_string_equal(nearest("vmlinux", names, 3), "vmlinux4");
	assert_string_equal(nearest("TUX0MSTR", names, 3), "tux0mstr");
	assert_string_equal(nearest("vmlinu9", names, 3), "vmlinux9");
	assert_null(nearest("router", names, 3));
	assert_null(nearest("x", names, 0));
}

/* ---- listings ---- */

static char *
read_golden(const char *name, const char *suffix)
{
	char path[256], *text = NULL;
	size_t size = 0;
	FILE *from;

	snprintf(path, sizeof(path), GOLDEN "%s%s", name, suffix);
	from = fopen(path, "r");
	if (!from)
		fail_msg("%s cannot be opened", path);
	if (getdelim(&text, &size, '\0', from) < 0)
		text[0] = '\0';
	fclose(from);
	return text;
}

static char *
render(const char *what, const json_t *records, bool human)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_int_equal(renderer_find("text")->records(listing_find(what), records, human, to), 0);
	fclose(to);
	return text;
}

static void
test_listings(void **state)
{
	static const struct {
		const char *what, *golden;
		bool human;
	} rows[] = {
			{"interfaces", ".txt", false},
			{"interfaces", "-human.txt", true},
			{"routes", ".txt", false},
			{"osa", ".txt", false},
			{"oat", ".txt", false},
			{"oat-drops", ".txt", false},
			{"drops", ".txt", false},
			{"nat", ".txt", false},
			{"balance", ".txt", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *in = read_golden(rows[i].what, ".json"), *want = read_golden(rows[i].what, rows[i].golden);
		json_t *records = json_loads(in, 0, NULL);
		char *have = render(rows[i].what, records, rows[i].human);

		assert_string_equal(have, want);
		free(have);
		free(want);
		free(in);
		json_decref(records);
	}
}

static void
test_ping(void **state)
{
	static const char *const replies[] = {
			"{\"reply\":\"echo\",\"from\":\"10.0.0.2\",\"ttl\":63,\"rtt_us\":100,\"size\":56}",
			"{\"reply\":\"echo\",\"from\":\"10.0.0.2\",\"ttl\":63,\"rtt_us\":300,\"size\":56}",
			"{\"reply\":\"timeout\"}",
			"{\"reply\":\"unreachable\",\"from\":\"10.0.0.1\",\"code\":1}",
			"{\"reply\":\"unreachable\",\"from\":\"10.0.0.1\",\"code\":4,\"mtu\":1400}",
			"{\"reply\":\"time-exceeded\",\"from\":\"10.0.0.1\"}",
			"{\"reply\":\"drop\",\"reason\":\"no route\"}",
	};
	char *have = NULL, *want = read_golden("ping", ".txt");
	struct ping_stats stats = {0};
	size_t size;
	FILE *to = open_memstream(&have, &size);

	(void)state;
	for (unsigned i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		json_t *reply = json_loads(replies[i], 0, NULL);

		ping_reply(&stats, reply, i + 1, "10.0.0.2", to);
		json_decref(reply);
	}
	ping_summary(&stats, "10.0.0.2", 6001, to);
	fclose(to);
	assert_string_equal(have, want);
	free(have);
	free(want);
}

/* Each packet cut short at every length: in a block of its size, so that a read beyond it is seen. */
static void
test_packet_line(void **state)
{
	static const uint8_t udp[] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 4, 0, 0, 53,
			0, 8, 0, 0};
	static const uint8_t arp[] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2,
			0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};
	char line[PACKET_LINE];

	(void)state;
	packet_line(udp, sizeof(udp), sizeof(udp), false, 1500000, line);
	assert_string_equal(line + 8, ".001500 IP 10.0.0.1.1024 > 10.0.0.2.53: udp, length 28");
	packet_line(arp, sizeof(arp), sizeof(arp), true, 0, line);
	assert_string_equal(line + 8, ".000000 ARP, who-has 10.0.0.2 tell 10.0.0.1, length 28");
	for (size_t len = 0; len < sizeof(arp); len++) {
		uint8_t *cut = malloc(len ? len : 1);

		memcpy(cut, arp, len);
		packet_line(cut, len, len, true, 0, line);
		memcpy(cut, udp, len < sizeof(udp) ? len : sizeof(udp));
		packet_line(cut, len, len, false, 0, line);
		free(cut);
	}
}

/* ---- edits ---- */

static struct config *
load(const char *name)
{
	struct cfg_errors errs;
	struct config *c = NULL;
	char path[256];

	snprintf(path, sizeof(path), GOLDEN "%s", name);
	if (config_load(path, &c, &errs) < 0)
		fail_msg("%s", errs.n ? errs.text[0] : path);
	cfg_errors_free(&errs);
	return c;
}

/* The text of a configuration that must be good. */
static char *
settle(const struct config *c)
{
	char *text = config_text(c), *again;
	struct cfg_errors errs;
	struct config *back = NULL;

	assert_non_null(text);
	if (config_read(text, strlen(text), "edited", &back, &errs) < 0)
		fail_msg("%s\n%s", errs.n ? errs.text[0] : "?", text);
	cfg_errors_free(&errs);
	again = config_text(back);
	config_free(back);
	free(text);
	return again;
}

static struct ip_prefix
prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static int
add_worker(struct edit *e)
{
	static const char *const run[] = {"sleep 5"};
	struct edit_guest g = {.name = "tux1", .router = "VMLINUX9", .vipa = prefix("192.168.2.3"), .run = run, .n_run = 1};

	return edit_add_guest(e, &g);
}

static int
add_ctc(struct edit *e)
{
	struct edit_guest g = {.name = "tux1", .router = "vmlinux4", .kind = CFG_CTC, .address = prefix("10.9.0.5")};

	return edit_add_guest(e, &g);
}

static int
add_on_lan(struct edit *e)
{
	struct edit_guest g = {.name = "host", .lan = "office", .simulated = true, .address = prefix("9.12.6.99/24"),
			.peer = prefix("9.12.6.80").addr};

	return edit_add_guest(e, &g);
}

static int
add_and_remove(struct edit *e)
{
	int err = add_worker(e);

	return err < 0 ? err : edit_remove_guest(e, "tux1");
}

static int
remove_worker(struct edit *e)
{
	return edit_remove_guest(e, "tux0mstr");
}

static int
add_routes(struct edit *e)
{
	struct edit_route r = {.to = prefix("10.0.0.0/16"), .via = prefix("192.168.1.2").addr, .table = 254};
	struct edit_route d = {.to = prefix("10.0.0.0/8"), .type = CFG_ROUTE_DISCARD, .metric = 9, .table = 254};
	int err = edit_add_route(e, "vmlinux4", &r);

	return err < 0 ? err : edit_add_route(e, "vmlinux4", &d);
}

static int
remove_route(struct edit *e)
{
	struct edit_route r = {.to = prefix("192.168.2.0/24"), .table = 254};

	return edit_remove_route(e, "vmlinux4", &r);
}

static int
set_things(struct edit *e)
{
	int err = edit_set_up(e, "vmlinux9", "iucv0", false);

	err = err < 0 ? err : edit_set_mtu(e, "vmlinux9", "iucv0", 1400);
	err = err < 0 ? err : edit_set_mtu(e, "vmlinux4", "iucv0", 1400);
	err = err < 0 ? err : edit_set_tunable(e, NULL, "arp_queue", 7);
	err = err < 0 ? err : edit_set_tunable(e, NULL, "arp_queue", 8);
	return err < 0 ? err : edit_set_tunable(e, "vmlinux4", "ip_default_ttl", 77);
}

static int
add_twice(struct edit *e)
{
	int err = add_worker(e);

	return err < 0 ? err : add_worker(e);
}

static int
add_to_nowhere(struct edit *e)
{
	struct edit_guest g = {.name = "tux1", .router = "vmlinux8"};

	return edit_add_guest(e, &g);
}

static int
add_to_guest(struct edit *e)
{
	struct edit_guest g = {.name = "tux1", .router = "tux0mstr"};

	return edit_add_guest(e, &g);
}

static int
add_long_name(struct edit *e)
{
	struct edit_guest g = {.name = "tux123456", .router = "vmlinux4"};

	return edit_add_guest(e, &g);
}

static int
remove_router(struct edit *e)
{
	return edit_remove_guest(e, "vmlinux9");
}

static int
remove_no_route(struct edit *e)
{
	struct edit_route r = {.to = prefix("192.168.9.0/24"), .table = 254};

	return edit_remove_route(e, "vmlinux4", &r);
}

static int
add_route_again(struct edit *e)
{
	int err = add_routes(e);

	return err < 0 ? err : add_routes(e);
}

static int
set_no_interface(struct edit *e)
{
	return edit_set_up(e, "vmlinux9", "iucv9", true);
}

static int
set_out_of_bounds(struct edit *e)
{
	return edit_set_tunable(e, NULL, "arp_queue", 0);
}

static const struct {
	int (*edit)(struct edit *e);
	const char *want; /* a golden file, or "!" and the refusal */
} edits[] = {
		{add_worker, "add-worker.yaml"},
		{add_ctc, "add-ctc.yaml"},
		{add_on_lan, "add-on-lan.yaml"},
		{add_and_remove, "unchanged.yaml"},
		{remove_worker, "remove-worker.yaml"},
		{add_routes, "add-routes.yaml"},
		{remove_route, "remove-route.yaml"},
		{set_things, "set-things.yaml"},
		{add_twice, "!there is a node 'tux1' already"},
		{add_to_nowhere, "!there is no node 'vmlinux8' in fabric 'two-layer'; did you mean 'vmlinux4'?"},
		{add_to_guest, "!tux0mstr is a guest, not a router"},
		{add_long_name, "!'tux123456' is no name for a guest: it has more than 8 characters"},
		{remove_router, "!vmlinux9 is a router; only guests are removed this way"},
		{remove_no_route, "!vmlinux4 has no such route to 192.168.9.0/24 in its configuration"},
		{add_route_again, "!vmlinux4 has a route to 10.0.0.0/16 with metric 0 already"},
		{set_no_interface, "!vmlinux9 has no interface 'iucv9'; did you mean 'iucv0'?"},
		{set_out_of_bounds, "!arp_queue: 0 is not within 1 to 4096 packets"},
};

/* CLI_GOLDEN=1 writes the golden files instead, to be looked at before they are committed. */
static void
write_golden(const char *name, const char *text)
{
	char path[256];
	FILE *to;

	snprintf(path, sizeof(path), GOLDEN "%s", name);
	to = fopen(path, "w");
	assert_non_null(to);
	fputs(text, to);
	fclose(to);
}

static void
test_edits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		struct config *c = load("edit.yaml");
		struct edit e;

		edit_begin(&e, c);
		if (edits[i].edit(&e) < 0) {
			assert_int_equal(edits[i].want[0], '!');
			assert_string_equal(e.why, edits[i].want + 1);
		} else {
			char *have = settle(c), *want;

			if (getenv("CLI_GOLDEN"))
				write_golden(edits[i].want, have);
			want = read_golden(edits[i].want, "");
			assert_string_equal(have, want);
			free(want);
			free(have);
		}
		config_free(c);
		edit_end(&e);
	}
}

static void
test_destination(void **state)
{
	struct config *c = load("edit.yaml");
	char text[ADDR_TEXT];

	(void)state;
	assert_int_equal(destination_resolve(c, "tux0mstr", text), 0);
	assert_string_equal(text, "192.168.2.1");
	assert_int_equal(destination_resolve(c, "vmlinux4", text), 0);
	assert_string_equal(text, "9.12.6.80");
	assert_int_equal(destination_resolve(c, "1.2.3.4", text), 0);
	assert_string_equal(text, "1.2.3.4");
	assert_string_equal(destination_owner(c, "10.0.1.1")->name, "vmlinux9");
	assert_null(destination_owner(c, "10.0.7.1"));
	config_free(c);
}

/* ---- base64 ---- */

static void
test_base64(void **state)
{
	static const struct {
		const char *plain, *text; /* RFC 4648 section 10 */
	} rows[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
			{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	static const char *const bad[] = {"Z", "Zg=", "Zg", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9", "Zm9-"};
	char text[32], data[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].plain), coded = strlen(rows[i].text);

		assert_int_equal(base64_encode(rows[i].plain, len, text), BASE64_ENCODED(len));
		assert_string_equal(text, rows[i].text);
		assert_int_equal(base64_decode(text, coded, data), len);
		assert_memory_equal(data, rows[i].plain, len);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(base64_decode(bad[i], strlen(bad[i]), data) < 0);
}

static void
test_base64_round_trip(void **state)
{
	uint8_t in[256], *out;
	char text[BASE64_ENCODED(256) + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 167 + 13);
	for (size_t len = 0; len <= sizeof(in); len++) {
		size_t n = base64_encode(in, len, text);

		out = malloc(BASE64_DECODED(n) + 1);
		assert_int_equal(base64_decode(text, n, out), len);
		assert_memory_equal(out, in, len);
		free(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_lines), cmocka_unit_test(test_table), cmocka_unit_test(test_nearest),
			cmocka_unit_test(test_listings), cmocka_unit_test(test_ping), cmocka_unit_test(test_packet_line),
			cmocka_unit_test(test_edits), cmocka_unit_test(test_destination), cmocka_unit_test(test_base64),
			cmocka_unit_test(test_base64_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
