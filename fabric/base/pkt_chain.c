/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/pkt_chain.h"

#include "fabric/base/csum.h"
#include "fabric/base/env.h"

#include <assert.h>
#include <errno.h>

enum { SEGMENT_MAX = 1920 }; /* of env_pkt_new() */

/*
 * The next stretch of bytes in one segment: advances *m and *off past it. => its length, 0 at the
 * end.
 */
static uint32_t
next_stretch(struct rte_mbuf **m, uint32_t *off, uint32_t len, uint8_t **at)
{
	uint32_t n;

	while (*m && *off >= (*m)->data_len) {
		*off -= (*m)->data_len;
		*m = (*m)->next;
	}
	if (!*m || len == 0)
		return 0;
	n = RTE_MIN((uint32_t)(*m)->data_len - *off, len);
	*at = rte_pktmbuf_mtod_offset(*m, uint8_t *, *off);
	*off += n;
	return n;
}

uint64_t
pkt_chain_sum(const struct pkt *p, uint32_t off, uint32_t len, uint64_t sum)
{
	struct rte_mbuf *m = pkt_mbuf(p);
	uint32_t n, done = 0;
	uint8_t *at = NULL;

	while ((n = next_stretch(&m, &off, len - done, &at)) > 0) {
		uint16_t part = csum_fold(csum_add(0, at, n));

		/*
		 * a stretch that starts at an odd place has its bytes in the other halves of the
		 * words
		 */
		sum += done & 1 ? rte_bswap16(part) : part;
		done += n;
	}
	return sum;
}

uint32_t
pkt_chain_read(const struct pkt *p, uint32_t off, void *to, uint32_t len)
{
	struct rte_mbuf *m = pkt_mbuf(p);
	uint32_t n, done = 0;
	uint8_t *at = NULL;

	while ((n = next_stretch(&m, &off, len - done, &at)) > 0) {
		memcpy((uint8_t *)to + done, at, n);
		done += n;
	}
	return done;
}

void
pkt_chain_trim(struct pkt *p, uint32_t len)
{
	struct rte_mbuf *m = pkt_mbuf(p);

	assert(len <= m->pkt_len);
	m->pkt_len = len;
	for (; m; m = m->next) {
		m->data_len = (uint16_t)RTE_MIN((uint32_t)m->data_len, len);
		len -= m->data_len;
	}
}

void
pkt_chain_append(struct pkt *p, struct pkt *tail)
{
	struct rte_mbuf *head = pkt_mbuf(p), *more = pkt_mbuf(tail), *last = head;

	while (last->next)
		last = last->next;
	last->next = more;
	head->nb_segs = (uint16_t)(head->nb_segs + more->nb_segs);
	head->pkt_len += more->pkt_len;
	more->pkt_len = more->data_len;
	more->nb_segs = 1;
}

int
pkt_chain_append_copy(
	struct env *env, struct pkt *p, const struct pkt *from, uint32_t off, uint32_t len)
{
	while (len > 0) {
		uint32_t n = RTE_MIN(len, (uint32_t)SEGMENT_MAX);
		struct pkt *more = env_pkt_new(env, n);

		if (!more)
			return -ENOBUFS;
		n = pkt_chain_read(from, off, pkt_data(more), n);
		assert(n > 0);
		pkt_chain_append(p, more);
		off += n;
		len -= n;
	}
	return 0;
}

/* Takes the first `len` bytes off a chain; segments that become empty stay. */
static void
pull(struct rte_mbuf *head, uint32_t len)
{
	struct rte_mbuf *m;

	head->pkt_len -= len;
	for (m = head; m && len > 0; m = m->next) {
		uint16_t n = (uint16_t)RTE_MIN((uint32_t)m->data_len, len);

		m->data_off = (uint16_t)(m->data_off + n);
		m->data_len = (uint16_t)(m->data_len - n);
		len -= n;
	}
}

struct pkt *
pkt_chain_pullup(struct env *env, struct pkt *p, uint32_t len)
{
	struct pkt *head;

	assert(len <= pkt_len(p) && len <= SEGMENT_MAX);
	if (pkt_head_len(p) >= len)
		return p;
	head = env_pkt_new(env, len);
	if (!head)
		return NULL;
	*head = *p;
	if (p->flags & PKT_HAS_L2 && p->l2_len <= PKT_HEADROOM)
		memcpy((uint8_t *)pkt_data(head) - p->l2_len, (const uint8_t *)pkt_data(p) - p->l2_len, p->l2_len);
	else
		head->flags &= (uint16_t)~PKT_HAS_L2;
	pkt_chain_read(p, 0, pkt_data(head), len);
	pull(pkt_mbuf(p), len);
	pkt_chain_append(head, p);
	return head;
}

/* => false: not all of it lies in the last segment, or that has no room for more. */
static bool
replace_in_place(struct pkt *p, uint32_t off, uint32_t len, const void *text, uint32_t n)
{
	struct rte_mbuf *head = pkt_mbuf(p), *m = head;
	uint32_t rest = head->pkt_len - off - len;
	uint8_t *at;

	while (m && off >= m->data_len) {
		off -= m->data_len;
		m = m->next;
	}
	if (!m || m->next || (n > len && rte_pktmbuf_tailroom(m) < n - len))
		return false;
	at = rte_pktmbuf_mtod_offset(m, uint8_t *, off);
	memmove(at + n, at + len, rest);
	memcpy(at, text, n);
	m->data_len = (uint16_t)(m->data_len + n - len);
	head->pkt_len += n - len;
	return true;
}

int
pkt_chain_replace(
	struct env *env, struct pkt *p, uint32_t off, uint32_t len, const void *text, uint32_t n)
{
	struct pkt *tail;

	assert(off + len <= pkt_len(p) && n <= SEGMENT_MAX);
	if (replace_in_place(p, off, len, text, n))
		return 0;
	tail = env_pkt_new(env, n);
	if (!tail)
		return -ENOBUFS;
	memcpy(pkt_data(tail), text, n);
	if (pkt_chain_append_copy(env, tail, p, off + len, pkt_len(p) - off - len) < 0) {
		env_pkt_free(env, tail);
		return -ENOBUFS;
	}
	pkt_chain_trim(p, off);
	pkt_chain_append(p, tail);
	return 0;
}
