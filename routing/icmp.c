/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/icmp.h"

#include "fabric/base/pkt_chain.h"
#include "routing/ip4_make.h"

#include <netinet/ip_icmp.h>
#include <time.h>

enum { ICMP_MIN = 8, TIMESTAMP_MIN = 12, TIMESTAMP_LEN = 20, TYPES = 19 };

typedef enum icmp_answer (*icmp_handler)(struct env *env, const struct router *r, struct pkt *p);

static struct drops *
drops_of(const struct router *r)
{
	return &r->live->drops;
}

static enum icmp_answer
drop(struct env *env, const struct router *r, struct pkt *p, enum drop_reason why)
{
	pkt_drop(env, drops_of(r), p, why);
	return ICMP_TAKEN;
}

/* Moves the header over its options: an answer carries none. */
static void
strip_options(struct pkt *p)
{
	uint16_t extra = (uint16_t)(p->l3_len - sizeof(struct iphdr));

	if (extra == 0)
		return;
	memmove((uint8_t *)pkt_data(p) + extra, pkt_data(p), sizeof(struct iphdr));
	rte_pktmbuf_adj(pkt_mbuf(p), extra);
}

/* Makes the packet one of this router to where it came from, and sends it. */
static void
send_back(struct env *env, const struct router *r, struct pkt *p, uint8_t ttl)
{
	struct iphdr *ip;

	strip_options(p);
	ip = pkt_ip4(p);
	ip4_make(r, ip, (uint16_t)pkt_len(p),
		&(struct ip4_make){.src = ip->daddr,
			.dst = ip->saddr,
			.tos = ip->tos,
			.ttl = ttl,
			.proto = IPPROTO_ICMP});
	record_refuse(p->recorder, "it is answered here");
	pkt_reset(p);
	p->flags = PKT_CSUM_VALID | PKT_LOCAL;
	p->router = r;
	pkt_parse(p);
	env_emit(env, p, ORIGIN_OUTPUT);
}

/* True when it was sent to this router alone. */
static bool
is_unicast(const struct router *r, const struct pkt *p)
{
	struct ip_addr dst = ip4(pkt_ip4(p)->daddr);

	return fib_addr_type(r->fib, &dst) == ROUTE_LOCAL;
}

static enum icmp_answer
take_echo(struct env *env, const struct router *r, struct pkt *p)
{
	struct icmphdr *icmp = pkt_l4(p);
	uint16_t before, after;

	if (!is_unicast(r, p) || tune(&r->tunables, TUNE_ICMP_ECHO_IGNORE_ALL))
		return drop(env, r, p, DROP_ICMP_IGNORED);
	pkt_checksum_complete(p);
	memcpy(&before, icmp, 2);
	icmp->type = ICMP_ECHOREPLY;
	memcpy(&after, icmp, 2);
	icmp->checksum = csum_replace2(icmp->checksum, before, after);
	send_back(env, r, p, (uint8_t)tune(&r->tunables, TUNE_ICMP_ECHO_TTL));
	return ICMP_TAKEN;
}

static uint32_t
ms_since_midnight(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint32_t)(ts.tv_sec % 86400) * 1000 + (uint32_t)(ts.tv_nsec / 1000000);
}

/* The answer has a fixed size, which the request may lack; so it is a packet of its own. */
static enum icmp_answer
take_timestamp(struct env *env, const struct router *r, struct pkt *p)
{
	const struct iphdr *ip = pkt_ip4(p);
	uint32_t l3 = sizeof(*ip), words[TIMESTAMP_LEN / 4] = {0};
	struct icmphdr *icmp = (struct icmphdr *)words;
	struct pkt *answer;

	if (!is_unicast(r, p))
		return drop(env, r, p, DROP_ICMP_IGNORED);
	if (pkt_chain_read(p, p->l3_len, words, TIMESTAMP_MIN) < TIMESTAMP_MIN)
		return drop(env, r, p, DROP_ICMP_MALFORMED);
	answer = env_pkt_new(env, l3 + TIMESTAMP_LEN);
	if (!answer)
		return drop(env, r, p, DROP_NO_BUFFER);
	icmp->type = ICMP_TIMESTAMPREPLY;
	icmp->code = 0;
	icmp->checksum = 0;
	words[3] = words[4] = htonl(ms_since_midnight());
	icmp->checksum = (uint16_t)~csum_fold(csum_add(0, words, sizeof(words)));
	memcpy(pkt_data(answer), ip, l3);
	memcpy((uint8_t *)pkt_data(answer) + l3, words, sizeof(words));
	answer->l3_len = (uint16_t)l3;
	send_back(env, r, answer, (uint8_t)tune(&r->tunables, TUNE_ICMP_ECHO_TTL));
	env_pkt_free(env, p);
	return ICMP_TAKEN;
}

/* RFC 1122 3.2.2: an error quotes an IP header and 8 bytes at least. */
static enum icmp_answer
take_error(struct env *env, const struct router *r, struct pkt *p)
{
	uint32_t have = pkt_len(p) - p->l3_len - ICMP_MIN;
	uint8_t first;

	if (!is_unicast(r, p))
		return drop(env, r, p, DROP_ICMP_IGNORED);
	if (pkt_chain_read(p, p->l3_len + ICMP_MIN, &first, 1) < 1 || (first & 15) < 5 ||
		have < (first & 15) * 4u + 8)
		return drop(env, r, p, DROP_ICMP_MALFORMED);
	return ICMP_LISTEN;
}

static enum icmp_answer
take_reply(struct env *env, const struct router *r, struct pkt *p)
{
	return is_unicast(r, p) ? ICMP_LISTEN : drop(env, r, p, DROP_ICMP_IGNORED);
}

/* Redirects are not here: a router does not follow them (RFC 1812 5.2.7.2). */
static const icmp_handler handlers[TYPES] = {
	[ICMP_ECHOREPLY] = take_reply,
	[ICMP_DEST_UNREACH] = take_error,
	[ICMP_SOURCE_QUENCH] = take_error,
	[ICMP_ECHO] = take_echo,
	[ICMP_TIME_EXCEEDED] = take_error,
	[ICMP_PARAMETERPROB] = take_error,
	[ICMP_TIMESTAMP] = take_timestamp,
	[ICMP_TIMESTAMPREPLY] = take_reply,
};

enum icmp_answer
icmp_input(struct env *env, const struct router *r, struct pkt *p)
{
	uint8_t type;

	if (p->l4_len < ICMP_MIN || !pkt_l4_checksum_ok(p))
		return drop(env, r, p, DROP_ICMP_MALFORMED);
	type = ((const struct icmphdr *)pkt_l4(p))->type;
	if (type >= TYPES || !handlers[type])
		return drop(env, r, p, DROP_ICMP_IGNORED);
	return handlers[type](env, r, p);
}
