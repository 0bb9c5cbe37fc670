/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TFTP (RFC 1350; nf_conntrack_tftp.c, nf_nat_tftp.c): a server answers a request from a port of
 * its own choice.
 */
#include "filters/helper.h"

#include "fabric/base/pkt_chain.h"

#include <netinet/udp.h>

enum { READ_REQUEST = 1, WRITE_REQUEST = 2 };

enum drop_reason
helper_tftp(struct helper_packet *k)
{
	const struct ct_tuple *reply = &k->c->tuple[CT_DIR_REPLY];
	struct ct_expected e = {.tuple = *reply};
	uint16_t code;

	if (pkt_chain_read(k->p, k->p->l3_len + (uint32_t)sizeof(struct udphdr), &code,
		    sizeof(code)) < sizeof(code))
		return DROP_NONE;
	if (ntohs(code) != READ_REQUEST && ntohs(code) != WRITE_REQUEST)
		return DROP_NONE;
	e.tuple.sport = 0;
	e.follow = k->translate;
	e.dir = CT_DIR_REPLY;
	e.port = k->c->tuple[CT_DIR_ORIGINAL].sport;
	return helper_expect(k, &e) < 0 ? DROP_HELPER_EXPECT : DROP_NONE;
}
