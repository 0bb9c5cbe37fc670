/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names in elements of sets. The tables are ours, so a set reads and prints the same on every host; whoever
 * needs another name writes the number.
 */
#ifndef FILTERS_SETS_NAMES_H
#define FILTERS_SETS_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* "tcp" => 6, as IANA has them (and a number); -1: no such name. */
int set_proto_parse(const char *text);
/* The name, or the number in `buf`. */
const char *set_proto_text(uint8_t proto, char *buf, size_t size);
/* "http" => 80; -1: no such name. TCP and UDP alike. */
int set_service_parse(const char *name);
/* "echo-request", "8/0" => type << 8 | code; -1: neither. */
int set_icmp_parse(const char *text);
const char *set_icmp_text(uint16_t type_code, char *buf, size_t size);

#endif
