/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of every listing. */
#include "fabric/cli/render.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* As `ip link` tells it: set down, up without a carrier, or up. */
static void
cell_state(const json_t *record, char *buf)
{
	const json_t *carrier = json_object_get(record, "carrier");
	const char *state = "up";

	if (!json_is_true(json_object_get(record, "up")))
		state = "down";
	else if (json_is_false(carrier))
		state = "no-carrier";
	snprintf(buf, CELL_SIZE, "%s", state);
}

static void
cell_link_state(const json_t *record, char *buf)
{
	snprintf(buf, CELL_SIZE, "%s", json_is_true(json_object_get(record, "up")) ? "up" : "down");
}

static void
cell_linkdown(const json_t *record, char *buf)
{
	snprintf(buf, CELL_SIZE, "%s", json_is_true(json_object_get(record, "linkdown")) ? "linkdown" : "-");
}

static void
cell_table(const json_t *record, char *buf)
{
	json_int_t table = json_integer_value(json_object_get(record, "table"));

	if (table == 254 || table == 255)
		snprintf(buf, CELL_SIZE, "%s", table == 254 ? "main" : "local");
	else
		render_value(json_object_get(record, "table"), buf);
}

static void
cell_bounds(const json_t *record, char *buf)
{
	snprintf(buf, CELL_SIZE, "%" JSON_INTEGER_FORMAT "..%" JSON_INTEGER_FORMAT,
			json_integer_value(json_object_get(record, "min")),
			json_integer_value(json_object_get(record, "max")));
}

static void
cell_share(const json_t *record, char *buf)
{
	snprintf(buf, CELL_SIZE, "%.1f%%",
			100 * json_number_value(json_object_get(record, "busy_share")));
}

/* A program is a line for the shell, or a whole script: its beginning tells which. */
static void
cell_program(const json_t *record, char *buf)
{
	enum { SHOWN = 60 };
	const char *text = json_string_value(json_object_get(record, "command"));
	size_t len = text ? strcspn(text, "\n") : 0;

	snprintf(buf, CELL_SIZE, "%.*s%s", (int)(len < SHOWN ? len : SHOWN), text ? text : "-",
			len > SHOWN || (text && text[len]) ? " ..." : "");
}

/* How long until it is full at the present growth. */
static void
cell_full_in(const json_t *record, char *buf)
{
	enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
	const json_t *value = json_object_get(record, "full_in");
	long s = (long)json_number_value(value);

	if (!value)
		snprintf(buf, CELL_SIZE, "-");
	else if (s < MINUTE)
		snprintf(buf, CELL_SIZE, "%lds", s);
	else if (s < HOUR)
		snprintf(buf, CELL_SIZE, "%ldm%02lds", s / MINUTE, s % MINUTE);
	else if (s < DAY)
		snprintf(buf, CELL_SIZE, "%ldh%02ldm", s / HOUR, s % HOUR / MINUTE);
	else
		snprintf(buf, CELL_SIZE, "%ldd%02ldh", s / DAY, s % DAY / HOUR);
}

#define COLUMN(field, title, ...) {.key = field, .heading = title, ##__VA_ARGS__}

static const struct column interfaces[] = {
		COLUMN("node", "NODE"),
		COLUMN("name", "NAME"),
		COLUMN("kind", "KIND"),
		COLUMN("up", "STATE", .cell = cell_state),
		COLUMN("mtu", "MTU", .flags = COLUMN_RIGHT | COLUMN_EXACT),
		COLUMN("addresses", "ADDRESSES"),
		COLUMN("peer", "PEER", .flags = COLUMN_OMIT),
		COLUMN("target", "TARGET", .flags = COLUMN_OMIT),
		COLUMN("mac", "MAC", .flags = COLUMN_OMIT),
		COLUMN("rx_packets", "RX-PKTS", .flags = COLUMN_RIGHT),
		COLUMN("rx_bytes", "RX-BYTES", .flags = COLUMN_RIGHT | COLUMN_BYTES),
		COLUMN("rx_drops", "RX-DROPS", .flags = COLUMN_RIGHT),
		COLUMN("tx_packets", "TX-PKTS", .flags = COLUMN_RIGHT),
		COLUMN("tx_bytes", "TX-BYTES", .flags = COLUMN_RIGHT | COLUMN_BYTES),
		COLUMN("tx_drops", "TX-DROPS", .flags = COLUMN_RIGHT),
		{0},
};

static const struct column routes[] = {
		COLUMN("node", "NODE"),
		COLUMN("table", "TABLE", .cell = cell_table),
		COLUMN("to", "TO"),
		COLUMN("type", "TYPE"),
		COLUMN("via", "VIA"),
		COLUMN("dev", "DEV"),
		COLUMN("metric", "METRIC", .flags = COLUMN_RIGHT | COLUMN_EXACT),
		COLUMN("src", "SRC", .flags = COLUMN_OMIT),
		COLUMN("weight", "WEIGHT", .flags = COLUMN_RIGHT | COLUMN_OMIT),
		COLUMN("linkdown", "FLAGS", .flags = COLUMN_OMIT, .cell = cell_linkdown),
		{0},
};

static const struct column neighbours[] = {
		COLUMN("node", "NODE"),
		COLUMN("dev", "DEV"),
		COLUMN("address", "ADDRESS"),
		COLUMN("mac", "MAC"),
		COLUMN("state", "STATE"),
		COLUMN("queued", "QUEUED", .flags = COLUMN_RIGHT),
		COLUMN("age", "AGE", .flags = COLUMN_RIGHT),
		{0},
};

static const struct column links[] = {
		COLUMN("name", "LINK"),
		COLUMN("kind", "KIND"),
		COLUMN("up", "STATE", .cell = cell_link_state),
		COLUMN("reason", "REASON", .flags = COLUMN_OMIT),
		COLUMN("since", "SINCE", .flags = COLUMN_RIGHT),
		COLUMN("a_to_b_packets", "PKTS->", .flags = COLUMN_RIGHT),
		COLUMN("b_to_a_packets", "<-PKTS", .flags = COLUMN_RIGHT),
		{0},
};

static const struct column guests[] = {
		COLUMN("name", "GUEST"),
		COLUMN("kind", "KIND"),
		COLUMN("interfaces", "INTERFACES", .flags = COLUMN_RIGHT),
		COLUMN("rx_packets", "RX-PKTS", .flags = COLUMN_RIGHT),
		COLUMN("rx_bytes", "RX-BYTES", .flags = COLUMN_RIGHT | COLUMN_BYTES),
		COLUMN("tx_packets", "TX-PKTS", .flags = COLUMN_RIGHT),
		COLUMN("tx_bytes", "TX-BYTES", .flags = COLUMN_RIGHT | COLUMN_BYTES),
		COLUMN("wakeups", "WAKEUPS", .flags = COLUMN_RIGHT),
		COLUMN("queue_drops", "DROPS", .flags = COLUMN_RIGHT),
		{0},
};

static const struct column drops[] = {
		COLUMN("node", "NODE"),
		COLUMN("reason", "REASON"),
		COLUMN("packets", "PACKETS", .flags = COLUMN_RIGHT),
		COLUMN("text", "MEANING"),
		{0},
};

static const struct column lans[] = {
		COLUMN("name", "LAN"),
		COLUMN("mtu", "MTU", .flags = COLUMN_RIGHT | COLUMN_EXACT),
		COLUMN("members", "MEMBERS", .flags = COLUMN_RIGHT),
		{0},
};

static const struct column macs[] = {
		COLUMN("lan", "LAN"),
		COLUMN("mac", "MAC"),
		COLUMN("member", "MEMBER"),
		COLUMN("age", "AGE", .flags = COLUMN_RIGHT),
		{0},
};

static const struct column tunables[] = {
		COLUMN("node", "NODE"),
		COLUMN("name", "NAME"),
		COLUMN("value", "VALUE", .flags = COLUMN_RIGHT),
		COLUMN("unit", "UNIT"),
		COLUMN("default", "DEFAULT", .flags = COLUMN_RIGHT),
		COLUMN("min", "BOUNDS", .cell = cell_bounds),
		COLUMN("text", "MEANING"),
		{0},
};

static const struct column memory[] = {
		COLUMN("what", "WHAT"),
		COLUMN("bytes", "BYTES", .flags = COLUMN_RIGHT | COLUMN_BYTES),
		COLUMN("count", "COUNT", .flags = COLUMN_RIGHT),
		{0},
};

static const struct column nat[] = {
		COLUMN("node", "NODE"),
		COLUMN("side", "SIDE"),
		COLUMN("address", "ADDRESS"),
		COLUMN("protocol", "PROTOCOL"),
		COLUMN("mappings", "MAPPINGS", .flags = COLUMN_RIGHT),
		COLUMN("ports", "PORTS", .flags = COLUMN_RIGHT),
		COLUMN("of", "OF", .flags = COLUMN_RIGHT),
		COLUMN("full_in", "FULL-IN", .flags = COLUMN_RIGHT, .cell = cell_full_in),
		COLUMN("refused", "REFUSED", .flags = COLUMN_RIGHT),
		{0},
};

static const struct column balance[] = {
		COLUMN("node", "NODE"),
		COLUMN("service", "SERVICE"),
		COLUMN("protocol", "PROTOCOL"),
		COLUMN("method", "METHOD"),
		COLUMN("worker", "WORKER"),
		COLUMN("up", "STATE", .cell = cell_link_state),
		COLUMN("check", "CHECK"),
		COLUMN("connections", "CONNECTIONS", .flags = COLUMN_RIGHT),
		COLUMN("total", "TOTAL", .flags = COLUMN_RIGHT),
		COLUMN("since", "SINCE", .flags = COLUMN_RIGHT),
		{0},
};

static const struct column osas[] = {
		COLUMN("osa", "OSA"),
		COLUMN("mode", "MODE"),
		COLUMN("layer", "LAYER"),
		COLUMN("profile", "PROFILE", .flags = COLUMN_OMIT),
		COLUMN("mac", "MAC"),
		COLUMN("network", "NETWORK"),
		COLUMN("up", "STATE", .cell = cell_link_state),
		COLUMN("sharers", "STACKS", .flags = COLUMN_RIGHT),
		COLUMN("primary", "PRIMARY"),
		COLUMN("secondary", "SECONDARY"),
		COLUMN("primary6", "PRIMARY6", .flags = COLUMN_OMIT),
		COLUMN("secondary6", "SECONDARY6", .flags = COLUMN_OMIT),
		COLUMN("entries", "ENTRIES", .flags = COLUMN_RIGHT),
		COLUMN("limit", "LIMIT", .flags = COLUMN_RIGHT | COLUMN_OMIT),
		COLUMN("no_entry", "NO-ENTRY", .flags = COLUMN_RIGHT),
		COLUMN("owner_down", "OWNER-DOWN", .flags = COLUMN_RIGHT),
		COLUMN("refused", "REFUSED", .flags = COLUMN_RIGHT),
		COLUMN("last", "LAST", .flags = COLUMN_OMIT),
		{0},
};

static const struct column oat[] = {
		COLUMN("osa", "OSA"),
		COLUMN("address", "ADDRESS"),
		COLUMN("owner", "OWNER"),
		COLUMN("kind", "KIND"),
		COLUMN("state", "STATE"),
		COLUMN("takeover", "TAKEOVER", .flags = COLUMN_OMIT),
		COLUMN("count", "COUNT", .flags = COLUMN_RIGHT | COLUMN_OMIT),
		COLUMN("age", "AGE", .flags = COLUMN_RIGHT | COLUMN_OMIT),
		COLUMN("answer", "ANSWER", .flags = COLUMN_OMIT),
		{0},
};

static const struct column oat_drops[] = {
		COLUMN("osa", "OSA"),
		COLUMN("reason", "REASON"),
		COLUMN("address", "ADDRESS"),
		COLUMN("sender", "SENDER"),
		COLUMN("from", "FROM"),
		COLUMN("packets", "PACKETS", .flags = COLUMN_RIGHT),
		COLUMN("last", "LAST", .flags = COLUMN_RIGHT),
		{0},
};

const struct listing listings[] = {
		{"interfaces", interfaces, "no interfaces"},
		{"routes", routes, "no routes"},
		{"neighbours", neighbours, "no neighbours"},
		{"links", links, "no links"},
		{"guests", guests, "no guests"},
		{"drops", drops, "nothing was dropped"},
		{"lans", lans, "no LANs"},
		{"macs", macs, "no MAC address was learned"},
		{"tunables", tunables, "no tunables"},
		{"memory", memory, "no memory is accounted"},
		{"nat", nat, "no address is translated"},
		{"balance", balance, "no service is balanced"},
		{"osa", osas, "no adapters"},
		{"oat", oat, "no address is registered"},
		{"oat-drops", oat_drops, "no address was unknown"},
		{0},
};

static const struct column fabrics[] = {
		COLUMN("fabric", "FABRIC"),
		COLUMN("state", "STATE"),
		COLUMN("serial", "SERIAL", .flags = COLUMN_RIGHT),
		COLUMN("uptime", "UPTIME", .flags = COLUMN_RIGHT),
		COLUMN("pid", "KEEPER", .flags = COLUMN_RIGHT | COLUMN_EXACT),
		COLUMN("engine_pid", "ENGINE", .flags = COLUMN_RIGHT),
		COLUMN("directory", "DIRECTORY"),
		{0},
};

const struct listing listing_fabrics = {"fabrics", fabrics, "no fabric is running"};

static const struct column programs[] = {
		COLUMN("guest", "GUEST"),
		COLUMN("pid", "PID", .flags = COLUMN_RIGHT),
		COLUMN("state", "STATE"),
		COLUMN("command", "PROGRAM", .cell = cell_program),
		{0},
};

const struct listing listing_programs = {"programs", programs, "no programs"};

static const struct column workers[] = {
		COLUMN("id", "WORKER", .flags = COLUMN_RIGHT),
		COLUMN("packets", "PACKETS", .flags = COLUMN_RIGHT),
		COLUMN("bursts", "BURSTS", .flags = COLUMN_RIGHT),
		COLUMN("sleeps", "SLEEPS", .flags = COLUMN_RIGHT),
		COLUMN("busy_share", "BUSY", .flags = COLUMN_RIGHT, .cell = cell_share),
		{0},
};

const struct listing listing_workers = {"workers", workers, "no workers"};

const struct listing *
listing_find(const char *what)
{
	const struct listing *l = listings;

	while (l->what && strcmp(l->what, what) != 0)
		l++;
	assert(l->what);
	return l;
}
