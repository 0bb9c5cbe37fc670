/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv4 options (RFC 791), judged as Linux net/ipv4/ip_options.c judges them on receipt. */
#ifndef FABRIC_BASE_PKT_OPTIONS_H
#define FABRIC_BASE_PKT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* => false: malformed, or a source route, which no router here accepts. */
bool ip4_options_sane(const uint8_t *options, size_t len);
/*
 * Makes no-operations of what only the first fragment carries (RFC 791: copied flag; as Linux,
 * which keeps the length).
 */
void ip4_options_keep_copied(uint8_t *options, size_t len);

#endif
