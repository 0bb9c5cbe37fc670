/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/osa.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct word {
	const char *text;
	int value;
};

#define WORDS(table) table, sizeof(table) / sizeof((table)[0])

/* The first word of a value is the one that is written. */
static const struct word modes[] = {
	{"qdio", OSA_QDIO},
	{"ose", OSA_OSE},
	{"lcs", OSA_OSE},
	{"dedicated", OSA_DEDICATED},
};

static const struct word profiles[] = {
	{"unlimited", OSA_PROFILE_NONE},
	{"osa2", OSA_PROFILE_OSA2},
	{"g5", OSA_PROFILE_G5},
	{"g6", OSA_PROFILE_G5},
	{"zseries", OSA_PROFILE_ZSERIES},
	{"hipersockets", OSA_PROFILE_HIPERSOCKETS},
};

static const struct word policies[] = {
	{"own", OSA_OWN_ADDRESS},
	{"stack", OSA_FULL_STACK},
	{"none", OSA_NO_ADDRESS},
};

static const struct word isolations[] = {
	{"none", OSA_SHARED},
	{"forward", OSA_FORWARD},
	{"drop", OSA_DROP},
};

static const struct word entries[] = {
	{"address", OSA_NORMAL},
	{"vipa", OSA_VIPA},
	{"rxip", OSA_RXIP},
	{"proxy", OSA_RXIP},
};

static const struct word roles[] = {
	{"no_router", OSA_NO_ROUTER},
	{"none", OSA_NO_ROUTER},
	{"no", OSA_NO_ROUTER},
	{"nonrouter", OSA_NO_ROUTER},
	{"primary_router", OSA_PRIMARY_ROUTER},
	{"primary", OSA_PRIMARY_ROUTER},
	{"primary router", OSA_PRIMARY_ROUTER},
	{"primary default entry", OSA_PRIMARY_ROUTER},
	{"prirouter", OSA_PRIMARY_ROUTER},
	{"secondary_router", OSA_SECONDARY_ROUTER},
	{"secondary", OSA_SECONDARY_ROUTER},
	{"secondary router", OSA_SECONDARY_ROUTER},
	{"secrouter", OSA_SECONDARY_ROUTER},
	{"multicast_router", OSA_MULTICAST_ROUTER},
	{"multicast", OSA_MULTICAST_ROUTER},
	{"multicast router", OSA_MULTICAST_ROUTER},
	{"primary_connector", OSA_PRIMARY_CONNECTOR},
	{"primary connector", OSA_PRIMARY_CONNECTOR},
	{"secondary_connector", OSA_SECONDARY_CONNECTOR},
	{"secondary connector", OSA_SECONDARY_CONNECTOR},
};

static const struct osa_limits limits[] = {
	[OSA_PROFILE_NONE] = {0},
	[OSA_PROFILE_OSA2] = {.addresses = 16, .per_stack = 8, .ports = 1, .lpars = 15},
	[OSA_PROFILE_G5] = {.addresses = 512, .devices = 240, .ports = 1, .lpars = 15},
	[OSA_PROFILE_ZSERIES] = {.addresses = 2048, .devices = 240, .ports = 2, .lpars = 15},
	[OSA_PROFILE_HIPERSOCKETS] = {.addresses = 4000},
};

static const char *
word_of(const struct word *table, size_t n, int value)
{
	for (size_t i = 0; i < n; i++) {
		if (table[i].value == value)
			return table[i].text;
	}
	return "?";
}

static int
parse(const struct word *table, size_t n, const char *text, int *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(table[i].text, text) == 0) {
			*out = table[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

const struct osa_limits *
osa_profile_limits(enum osa_profile p)
{
	return &limits[p];
}

const char *
osa_mode_word(enum osa_mode m)
{
	return word_of(WORDS(modes), m);
}

const char *
osa_profile_word(enum osa_profile p)
{
	return word_of(WORDS(profiles), p);
}

const char *
osa_policy_word(enum osa_policy p)
{
	return word_of(WORDS(policies), p);
}

const char *
osa_isolation_word(enum osa_isolation i)
{
	return word_of(WORDS(isolations), i);
}

const char *
osa_entry_word(enum osa_entry e)
{
	return word_of(WORDS(entries), e);
}

const char *
osa_role_word(enum osa_role r)
{
	return word_of(WORDS(roles), r);
}

int
osa_mode_parse(const char *text, enum osa_mode *out)
{
	int value, rc = parse(WORDS(modes), text, &value);

	if (rc == 0)
		*out = (enum osa_mode)value;
	return rc;
}

int
osa_profile_parse(const char *text, enum osa_profile *out)
{
	int value, rc = parse(WORDS(profiles), text, &value);

	if (rc == 0)
		*out = (enum osa_profile)value;
	return rc;
}

int
osa_policy_parse(const char *text, enum osa_policy *out)
{
	int value, rc = parse(WORDS(policies), text, &value);

	if (rc == 0)
		*out = (enum osa_policy)value;
	return rc;
}

int
osa_isolation_parse(const char *text, enum osa_isolation *out)
{
	int value, rc = parse(WORDS(isolations), text, &value);

	if (rc == 0)
		*out = (enum osa_isolation)value;
	return rc;
}

int
osa_entry_parse(const char *text, enum osa_entry *out)
{
	int value, rc = parse(WORDS(entries), text, &value);

	if (rc == 0)
		*out = (enum osa_entry)value;
	return rc;
}

int
osa_role_parse(const char *text, enum osa_role *out)
{
	int value, rc = parse(WORDS(roles), text, &value);

	if (rc == 0)
		*out = (enum osa_role)value;
	return rc;
}

char *
osa_role_shown(enum osa_role r, bool echo_filter, char *buf, size_t size)
{
	static const char *const shown[] = {
		[OSA_NO_ROUTER] = "no",
		[OSA_PRIMARY_ROUTER] = "primary router",
		[OSA_SECONDARY_ROUTER] = "secondary router",
		[OSA_MULTICAST_ROUTER] = "multicast router",
		[OSA_PRIMARY_CONNECTOR] = "primary connector",
		[OSA_SECONDARY_CONNECTOR] = "secondary connector",
	};

	snprintf(buf, size, "%s%s", shown[r], r == OSA_MULTICAST_ROUTER && echo_filter ? "+" : "");
	return buf;
}
