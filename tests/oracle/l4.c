/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/l4.h"

#include <string.h>

enum { SCTP_HEADER = 12, CHUNK_HEADER = 4, INIT_BODY = 16, SUM_AT = 8, GRE_HEADER = 8, GRE_IP = 0x0800, GRE_PPP = 0x880b };

static void
put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void
put32(uint8_t *at, uint32_t v)
{
	put16(at, (uint16_t)(v >> 16));
	put16(at + 2, (uint16_t)v);
}

size_t
build_sctp(uint8_t *l4, uint16_t sport, uint16_t dport, uint32_t vtag, uint8_t chunk, uint32_t tag, uint16_t payload)
{
	size_t body = chunk == SCTP_INIT || chunk == SCTP_INIT_ACK ? INIT_BODY : 0;

	memset(l4, 0, SCTP_HEADER + CHUNK_HEADER + INIT_BODY);
	put16(l4, sport);
	put16(l4 + 2, dport);
	put32(l4 + 4, vtag);
	l4[SCTP_HEADER] = chunk;
	put16(l4 + SCTP_HEADER + 2, (uint16_t)(CHUNK_HEADER + body + payload));
	if (body) {
		put32(l4 + SCTP_HEADER + CHUNK_HEADER, tag);
		put32(l4 + SCTP_HEADER + CHUNK_HEADER + 4, 65536);
		put32(l4 + SCTP_HEADER + CHUNK_HEADER + 8, 0x00050005);
		put32(l4 + SCTP_HEADER + CHUNK_HEADER + 12, tag);
	}
	return SCTP_HEADER + CHUNK_HEADER + body;
}

/* Bit by bit, as RFC 9260 appendix A has it. */
void
sum_sctp(uint8_t *l4, size_t len)
{
	uint32_t crc = ~0u;
	size_t i;
	int bit;

	memset(l4 + SUM_AT, 0, 4);
	for (i = 0; i < len; i++)
		for (crc ^= l4[i], bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	crc = ~crc;
	for (i = 0; i < 4; i++)
		l4[SUM_AT + i] = (uint8_t)(crc >> 8 * i);
}

size_t
build_gre(uint8_t *l4, unsigned version, uint16_t call, uint16_t payload)
{
	memset(l4, 0, GRE_HEADER);
	put16(l4, version == 1 ? 0x2001 : 0x2000);
	put16(l4 + 2, version == 1 ? GRE_PPP : GRE_IP);
	if (version == 1)
		put16(l4 + 4, payload);
	put16(l4 + 6, call);
	return GRE_HEADER;
}
