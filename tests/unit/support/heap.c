/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/heap.h"

#include "fabric/base/pkt_chain.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

/* An mbuf and its descriptor in one block, the data in another that ends where the data does. */
static struct pkt *
make(struct env *env, uint32_t len)
{
	struct heap_env *h = (struct heap_env *)env;
	struct rte_mbuf *m;

	if (h->live >= h->limit)
		return NULL;
	m = calloc(1, sizeof(*m) + sizeof(struct pkt));
	assert(m);
	m->buf_addr = malloc(PKT_HEADROOM + len);
	assert(m->buf_addr);
	m->priv_size = sizeof(struct pkt);
	m->buf_len = (uint16_t)(PKT_HEADROOM + len);
	m->data_off = PKT_HEADROOM;
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	m->nb_segs = 1;
	rte_mbuf_refcnt_set(m, 1);
	h->live++;
	return pkt_of(m);
}

static void
release(struct env *env, struct pkt *p)
{
	struct rte_mbuf *m = pkt_mbuf(p);

	while (m) {
		struct rte_mbuf *next = m->next;

		free(m->buf_addr);
		free(m);
		((struct heap_env *)env)->live--;
		m = next;
	}
}

static struct pkt *
copy(struct env *env, const struct pkt *p)
{
	struct pkt *c = make(env, pkt_len(p));

	if (!c)
		return NULL;
	pkt_chain_read(p, 0, pkt_data(c), pkt_len(p));
	*c = *p;
	return c;
}

static void
drop_emitted(struct env *env, struct pkt *p, enum pkt_origin origin)
{
	(void)origin;
	pkt_drop(env, &env->drops, p, DROP_SLOW_QUEUE);
}

void
heap_env_init(struct heap_env *h)
{
	static const struct env_ops ops = {make, copy, release, drop_emitted};

	*h = (struct heap_env){.env = {.ops = &ops, .random = 1}, .limit = UINT_MAX};
	h->env.epoch = &h->epoch;
}

struct pkt *
heap_packet(struct heap_env *h, const void *bytes, uint32_t len, uint32_t piece)
{
	struct pkt *p = NULL;

	for (uint32_t at = 0; at < len || !p;) {
		uint32_t take = piece && len - at > piece ? piece : len - at;
		struct pkt *next = make(&h->env, take);

		assert(next);
		memcpy(pkt_data(next), (const uint8_t *)bytes + at, take);
		at += take;
		if (p)
			pkt_chain_append(p, next);
		else
			p = next;
	}
	return p;
}
