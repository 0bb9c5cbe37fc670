/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keyed, so that nobody outside can choose connections of one chain. */
#include "filters/conntrack_table.h"

struct sip {
	uint64_t a, b, c, d;
};

static inline uint64_t
rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(struct sip *s)
{
	s->a += s->b;
	s->c += s->d;
	s->b = rotate(s->b, 13) ^ s->a;
	s->d = rotate(s->d, 16) ^ s->c;
	s->a = rotate(s->a, 32);
	s->c += s->b;
	s->a += s->d;
	s->b = rotate(s->b, 17) ^ s->c;
	s->d = rotate(s->d, 21) ^ s->a;
	s->c = rotate(s->c, 32);
}

static inline void
sip_word(struct sip *s, uint64_t w)
{
	s->d ^= w;
	sip_round(s);
	s->a ^= w;
}

static inline void
sip_address(struct sip *s, const struct ip_addr *a)
{
	sip_word(s, (uint64_t)a->w[1] << 32 | a->w[0]);
	sip_word(s, (uint64_t)a->w[3] << 32 | a->w[2]);
}

/* SipHash-1-3 (Aumasson, Bernstein) over whole words. */
uint32_t
ct_hash(const struct conntrack *ct, const struct ct_tuple *t, uint16_t zone)
{
	struct sip s = {
		ct->key[0] ^ 0x736f6d6570736575ull,
		ct->key[1] ^ 0x646f72616e646f6dull,
		ct->key[0] ^ 0x6c7967656e657261ull,
		ct->key[1] ^ 0x7465646279746573ull,
	};
	uint64_t ports = (uint64_t)t->sport << 48 | (uint64_t)t->dport << 32 | (uint64_t)zone << 16;

	if (t->src.family == AF_INET) {
		sip_word(&s, (uint64_t)t->src.v4 << 32 | t->dst.v4);
	} else {
		sip_address(&s, &t->src);
		sip_address(&s, &t->dst);
		sip_word(&s, (uint64_t)t->src.scope << 32 | t->dst.scope);
	}
	sip_word(&s, ports | t->proto);
	s.c ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return (uint32_t)(s.a ^ s.b ^ s.c ^ s.d);
}
