/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers of SCTP and GRE. Ports, tags and ids in host byte order; all return the header's length. */
#ifndef TESTS_ORACLE_L4_H
#define TESTS_ORACLE_L4_H

#include <stddef.h>
#include <stdint.h>

enum sctp_chunk { SCTP_DATA = 0, SCTP_INIT = 1, SCTP_INIT_ACK = 2, SCTP_HEARTBEAT = 4, SCTP_HEARTBEAT_ACK = 5, SCTP_ABORT = 6,
	SCTP_SHUTDOWN = 7, SCTP_SHUTDOWN_ACK = 8, SCTP_COOKIE_ECHO = 10, SCTP_COOKIE_ACK = 11, SCTP_SHUTDOWN_COMPLETE = 14 };

/* With one chunk that claims `payload` bytes behind its own header; `tag` is what INIT and INIT ACK announce (RFC 9260). */
size_t build_sctp(uint8_t *l4, uint16_t sport, uint16_t dport, uint32_t vtag, uint8_t chunk, uint32_t tag, uint16_t payload);
/* The CRC of a whole packet of `len` bytes. */
void sum_sctp(uint8_t *l4, size_t len);
/* Version 0 (RFC 2784), or 1 with a call id (RFC 2637). */
size_t build_gre(uint8_t *l4, unsigned version, uint16_t call, uint16_t payload);

#endif
