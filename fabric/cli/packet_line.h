/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet as one line, for where tcpdump is not installed. */
#ifndef FABRIC_CLI_PACKET_LINE_H
#define FABRIC_CLI_PACKET_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACKET_LINE = 256 };

/*
 * "14:05:00.000001 IP 10.0.0.2.1024 > 10.0.0.1.80: tcp, length 60". `caplen` bytes are there of `len`; time in
 * nanoseconds since 1970, printed as local time. `line` takes PACKET_LINE bytes.
 */
void packet_line(const uint8_t *data, size_t caplen, size_t len, bool ethernet, int64_t ts_ns,
		char *line);

#endif
