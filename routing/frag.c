/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "routing/reasm.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "fabric/base/pkt_options.h"

#include <assert.h>

enum { SEGMENT_MAX = 1920, UNIT = 8 };

struct cut {
	struct env *env;
	const struct pkt *from;
	uint32_t mtu;
	uint32_t offset; /* of `from` itself in its datagram, bytes */
	bool more;       /* what follows `from` */
};

static void
free_all(struct env *env, struct pkt_queue *q)
{
	struct pkt *p;

	while ((p = STAILQ_FIRST(q))) {
		STAILQ_REMOVE_HEAD(q, queue);
		env_pkt_free(env, p);
	}
}

/* Header and the `len` bytes of payload from `at` on. */
static struct pkt *
copy_part(const struct cut *c, uint32_t at, uint32_t len)
{
	uint32_t header = c->from->l3_len, first = RTE_MIN(len, SEGMENT_MAX - header);
	struct pkt *f = env_pkt_new(c->env, header + first);

	if (!f)
		return NULL;
	*f = *c->from;
	pkt_chain_read(c->from, 0, pkt_data(f), header);
	pkt_chain_read(c->from, header + at, (uint8_t *)pkt_data(f) + header, first);
	if (pkt_chain_append_copy(c->env, f, c->from, header + at + first, len - first) < 0) {
		env_pkt_free(c->env, f);
		return NULL;
	}
	return f;
}

static void
fix_header(const struct cut *c, struct pkt *f, uint32_t at, bool more)
{
	struct iphdr *ip = pkt_ip4(f);
	uint16_t field = (uint16_t)((c->offset + at) / UNIT);

	if (c->offset + at > 0)
		ip4_options_keep_copied((uint8_t *)(ip + 1), f->l3_len - sizeof(*ip));
	ip->tot_len = htons((uint16_t)pkt_len(f));
	ip->frag_off = htons(field) | (ip->frag_off & htons(IP_DF)) | (more ? htons(IP_MF) : 0);
	ip->check = 0;
	ip->check = ip4_checksum(ip);
}

/*
 * The descriptor of a fragment is that of the packet, without what was said of its whole payload.
 */
static void
fix_descriptor(struct pkt *f)
{
	f->flags &= (uint16_t) ~(PKT_HAS_L2 | PKT_CSUM_PARTIAL | PKT_CSUM_VALID | PKT_REASSEMBLED);
	f->recorder = NULL;
	f->frag_max = 0;
	pkt_parse(f);
}

static enum drop_reason
cut(const struct cut *c, struct pkt_queue *out)
{
	uint32_t room = c->mtu - c->from->l3_len, all = pkt_len(c->from) - c->from->l3_len, at, len;

	for (at = 0; at < all; at += len) {
		struct pkt *f;

		len = all - at > room ? room & ~(UNIT - 1u) : all - at;
		f = copy_part(c, at, len);
		if (!f)
			return DROP_NO_BUFFER;
		fix_header(c, f, at, c->more || at + len < all);
		fix_descriptor(f);
		STAILQ_INSERT_TAIL(out, f, queue);
	}
	return DROP_NONE;
}

enum drop_reason
frag_output(
	struct env *env, const struct router *r, struct pkt *p, uint32_t mtu, struct pkt_queue *out)
{
	struct pkt_queue made = STAILQ_HEAD_INITIALIZER(made);
	uint16_t field = ntohs(pkt_ip4(p)->frag_off);
	struct cut c = {
		.env = env,
		.from = p,
		.mtu = p->frag_max && p->frag_max < mtu ? p->frag_max : mtu,
		.offset = (field & IP_OFFMASK) * (uint32_t)UNIT,
		.more = field & IP_MF,
	};
	enum drop_reason why = DROP_MTU;

	assert(!pkt_is_gso(p));
	record_refuse(p->recorder, "it is fragmented");
	pkt_checksum_complete(p);
	if (c.mtu >= (uint32_t)p->l3_len + UNIT)
		why = cut(&c, &made);
	if (why) {
		free_all(env, &made);
		pkt_drop(env, &r->live->drops, p, why);
		return why;
	}
	STAILQ_CONCAT(out, &made);
	env_pkt_free(env, p);
	return DROP_NONE;
}
