/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, ports and options as the ruleset has them, and slightly wrong ones. */
#include "tests/oracle/packets_draft.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <string.h>

uint32_t
draft_address(struct packets *g)
{
	return address_value(rnd(&g->r, ADDRESSES));
}

/* Of hosts behind an interface; `home` -1: the router's own. */
uint32_t
draft_address_at(struct packets *g, int home)
{
	unsigned i, start = rnd(&g->r, ADDRESSES);

	for (i = 0; i < ADDRESSES; i++)
		if (addresses[(start + i) % ADDRESSES].home == home)
			return address_value((start + i) % ADDRESSES);
	return 0;
}

uint16_t
draft_port(struct packets *g)
{
	uint16_t p = PICK(&g->r, g->rs->pool.ports);

	if (chance(&g->r, 20))
		p += chance(&g->r, 50) ? 1 : -1;
	return p;
}

static const char *
any_word(struct packets *g)
{
	static const char *const words[] = {"GET /", "USER", "rookery", "aab", "abcabd", "get /", "\xff\x00" "a"};

	return chance(&g->r, 30) ? PICK(&g->r, words) : NULL;
}

void
draft_start(struct packets *g, struct draft *d)
{
	memset(d, 0, sizeof(*d));
	d->ttl = chance(&g->r, 10) ? PICK(&g->r, ((uint8_t[]){1, 2, 3, 255})) :
		chance(&g->r, 30) ? (uint8_t)(PICK(&g->r, g->rs->pool.ttl) + rnd(&g->r, 3) - 1) : 64;
	d->tos = chance(&g->r, 30) ? PICK(&g->r, g->rs->pool.tos) : 0;
	d->id = ++g->id;
	d->from = (uint8_t)rnd(&g->r, 3);
	d->to = chance(&g->r, 92) ? TO_ROUTER : PICK(&g->r, ((const uint8_t[]){TO_BROADCAST, TO_BROADCAST, TO_MULTICAST, TO_OTHER}));
	d->frag_off = chance(&g->r, 50) ? IP_DF : 0;
	d->window = chance(&g->r, 80) ? 29200 : (uint16_t)rnd(&g->r, 3000);
	d->payload = chance(&g->r, 60) ? (uint16_t)rnd(&g->r, 40) : (uint16_t)rnd(&g->r, 1300);
	d->word = any_word(g);
}

/* No operation, router alert, stream id, and one that nobody knows. */
static void
set_ip_options(struct packets *g, struct draft *d)
{
	static const uint8_t some[][8] = {{1, 1, 1, 0}, {0x94, 4, 0, 0}, {0x88, 4, 0, 1}, {1, 1, 1, 1, 1, 1, 1, 0}, {0x5e, 8, 1, 2, 3, 4, 5, 6}};
	unsigned i = rnd(&g->r, sizeof(some) / sizeof(*some));

	memcpy(d->ip_options, some[i], 8);
	d->n_ip_options = i < 3 && chance(&g->r, 50) ? 4 : 8;
}

void
draft_tcp_option(struct draft *d, const void *bytes, uint8_t len)
{
	if (d->n_tcp_options + len > OPTIONS_MAX)
		return;
	memcpy(d->tcp_options + d->n_tcp_options, bytes, len);
	d->n_tcp_options += len;
}

void
draft_pad_tcp(struct draft *d)
{
	while (d->n_tcp_options % 4)
		d->tcp_options[d->n_tcp_options++] = 1;
}

void
draft_mss(struct draft *d, uint16_t mss)
{
	uint8_t option[4] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss};

	draft_tcp_option(d, option, 4);
}

void
draft_syn_options(struct packets *g, struct draft *d)
{
	if (chance(&g->r, 75))
		draft_mss(d, chance(&g->r, 70) ? PICK(&g->r, g->rs->pool.mss) + (uint16_t)rnd(&g->r, 3) - 1 : 1460);
	if (chance(&g->r, 40))
		draft_tcp_option(d, (uint8_t[]){4, 2}, 2);
	if (chance(&g->r, 40))
		draft_tcp_option(d, (uint8_t[]){3, 3, (uint8_t)rnd(&g->r, 16)}, 3);
	if (chance(&g->r, 15))
		draft_tcp_option(d, (uint8_t[]){8, 10, 0, 0, 0, 1, 0, 0, 0, 0}, 10);
	if (chance(&g->r, 4))
		draft_tcp_option(d, (uint8_t[]){30, 0}, 2);
	draft_pad_tcp(d);
}

void
draft_data_options(struct packets *g, struct draft *d)
{
	if (chance(&g->r, 20))
		draft_tcp_option(d, (uint8_t[]){8, 10, 0, 0, 0, 1, 0, 0, 0, 0}, 10);
	if (chance(&g->r, 8)) {
		uint8_t sack[10] = {5, 10};
		uint32_t left = htonl(d->ack + rnd(&g->r, 3000)), right = htonl(ntohl(left) + rnd(&g->r, 2000));

		memcpy(sack + 2, &left, 4);
		memcpy(sack + 6, &right, 4);
		draft_tcp_option(d, sack, 10);
	}
	draft_pad_tcp(d);
}

void
draft_spoil(struct packets *g, struct draft *d)
{
	if (chance(&g->r, 3))
		d->bad_sum = true;
	if (chance(&g->r, 2))
		d->no_sum = true;
	if (chance(&g->r, 3))
		set_ip_options(g, d);
	if (chance(&g->r, 2))
		d->flags = (uint8_t)(rnd64(&g->r) & 0x3f);
	if (chance(&g->r, 1))
		d->src = PICK(&g->r, ((const uint32_t[]){0, 0xffffffff, 0x0100007f, 0x010000e0, 0x0100000a, 0xff00000a}));
	if (chance(&g->r, 1))
		d->dst = PICK(&g->r, ((const uint32_t[]){0, 0x0100007f, 0x010000f0, 0x0200007f}));
}
