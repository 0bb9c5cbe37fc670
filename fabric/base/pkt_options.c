/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/pkt_options.h"

#include <netinet/ip.h>
#include <string.h>

enum { OVERFLOW_MAX = 15 << 4, OPTION_CIPSO = 134 };

/*
 * A pointer into a list of slots counts from 1; it may point past the end (full), never half into
 * it.
 */
static bool
slot_fits(const uint8_t *o, size_t slot)
{
	return o[IPOPT_OFFSET] > o[IPOPT_OLEN] || o[IPOPT_OFFSET] + slot - 1 <= o[IPOPT_OLEN];
}

static bool
record_route_sane(const uint8_t *o)
{
	return o[IPOPT_OLEN] >= 3 && o[IPOPT_OFFSET] >= 4 && slot_fits(o, 4);
}

static bool
timestamp_sane(const uint8_t *o)
{
	if (o[IPOPT_OLEN] < 4 || o[IPOPT_OFFSET] < 5)
		return false;
	if (o[IPOPT_OFFSET] > o[IPOPT_OLEN])
		return (o[3] & 0xf0) != OVERFLOW_MAX;
	switch (o[3] & 0x0f) {
	case IPOPT_TS_TSONLY:
		return slot_fits(o, 4);
	case IPOPT_TS_TSANDADDR:
	case IPOPT_TS_PRESPEC:
		return slot_fits(o, 8);
	}
	return false;
}

static bool
option_sane(const uint8_t *o)
{
	switch (o[IPOPT_OPTVAL]) {
	case IPOPT_LSRR:
	case IPOPT_SSRR:
		return false;
	case IPOPT_RR:
		return record_route_sane(o);
	case IPOPT_TS:
		return timestamp_sane(o);
	case IPOPT_RA:
		return o[IPOPT_OLEN] >= 4;
	}
	return true;
}

/* Of these a packet has one at most. */
static bool
is_single(uint8_t type)
{
	return type == IPOPT_RR || type == IPOPT_TS || type == OPTION_CIPSO;
}

/* Length of the option at `at`; 0: it does not fit. */
static size_t
option_len(const uint8_t *options, size_t len, size_t at)
{
	if (options[at] == IPOPT_NOP)
		return 1;
	if (len - at < 2 || options[at + IPOPT_OLEN] < 2 || options[at + IPOPT_OLEN] > len - at)
		return 0;
	return options[at + IPOPT_OLEN];
}

bool
ip4_options_sane(const uint8_t *options, size_t len)
{
	bool seen[256] = {false};
	size_t at, n;

	for (at = 0; at < len && options[at] != IPOPT_EOL; at += n) {
		const uint8_t *o = options + at;

		n = option_len(options, len, at);
		if (n == 0)
			return false;
		if (n == 1)
			continue;
		if (!option_sane(o) || (is_single(*o) && seen[*o]))
			return false;
		seen[*o] = true;
	}
	return true;
}

void
ip4_options_keep_copied(uint8_t *options, size_t len)
{
	size_t at, n;

	for (at = 0; at < len && options[at] != IPOPT_EOL; at += n) {
		n = option_len(options, len, at);
		if (n == 0)
			break;
		if (!IPOPT_COPIED(options[at]))
			memset(options + at, IPOPT_NOP, n);
	}
}
