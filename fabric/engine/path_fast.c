/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast way. A burst goes through three short loops, so that what each packet reads from memory is on its way while others are looked at: read the
 * keys and ask for the buckets; find signatures and ask for the paths; follow the paths.
 */
#include "fabric/engine/path_private.h"

#include "fabric/base/csum.h"
#include "fabric/base/pkt_chain.h"
#include "filters/conntrack_path.h"

#include <netinet/udp.h>
#include <rte_common.h>
#include <rte_prefetch.h>
#include <rte_vect.h>

enum { IP = sizeof(struct iphdr), TCP_STAMPED = 32, FLAG_ACK = 0x10, FLAG_PSH = 0x08 };

static inline uint16_t
load16(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint32_t
load32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline uint64_t
load64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* Keyed, so that nobody can choose flows that share a bucket. Never 0. */
static inline uint64_t
hash_key(const struct path_cache *c, uint64_t addresses, uint64_t rest)
{
	unsigned __int128 m = (unsigned __int128)(addresses ^ c->seed[0]) * (rest ^ c->seed[1]);
	uint64_t h = ((uint64_t)m ^ (uint64_t)(m >> 64)) * 0x9e3779b97f4a7c15ull;

	return h | 1;
}

/* => the sum of the 20 bytes, folded: 0xffff when its checksum holds. */
static inline uint16_t
header_sum(const uint8_t *ip)
{
	uint64_t s = load64(ip), t = load64(ip + 8);

	s = (s & 0xffffffff) + (s >> 32) + (t & 0xffffffff) + (t >> 32) + load32(ip + 16);
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)((s & 0xffff) + (s >> 16));
}

/* Data and ACKs, without options but a time stamp. */
static inline bool
is_plain_tcp(const struct pkt *p, const uint8_t *tcp, uint32_t there)
{
	if (there < sizeof(struct tcphdr) || (tcp[13] & ~FLAG_PSH) != FLAG_ACK)
		return false;
	if (pkt_is_gso(p) && p->gso_type != PKT_GSO_TCP4)
		return false;
	if (tcp[12] >> 4 == 5)
		return true;
	return tcp[12] >> 4 == TCP_STAMPED / 4 && there >= TCP_STAMPED && load32(tcp + 20) == htonl(0x0101080a);
}

static inline bool
is_whole_udp(const struct pkt *p, const uint8_t *udp, uint32_t len)
{
	return ntohs(load16(udp + 4)) == len && !pkt_is_gso(p);
}

/* What every packet on a path has in common; anything else goes the slow way. */
static inline bool
read_key(const struct path_cache *c, const struct path_ingress *in, const struct pkt *p, struct path_lookup *l)
{
	const struct rte_mbuf *m = pkt_mbuf(p);
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, p->l2_len);
	uint32_t len = m->pkt_len - p->l2_len;

	if (m->data_len < p->l2_len + IP + sizeof(struct udphdr) || ip[0] != 0x45 || load16(ip + 6) & htons(IP_MF | IP_OFFMASK))
		return false;
	if (ntohs(load16(ip + 2)) != len || header_sum(ip) != 0xffff)
		return false;
	if (ip[9] == IPPROTO_UDP ? !is_whole_udp(p, ip + IP, len - IP)
				 : ip[9] != IPPROTO_TCP || !is_plain_tcp(p, ip + IP, m->data_len - p->l2_len - IP))
		return false;
	l->addresses = load64(ip + 12);
	l->rest = load32(ip + IP) | (uint64_t)in->slot << KEY_SLOT_SHIFT | (uint64_t)ip[9] << KEY_PROTO_SHIFT |
		  (uint64_t)ip[1] << KEY_TOS_SHIFT;
	l->hash = hash_key(c, l->addresses, l->rest);
	return true;
}

/* => index of the path whose signature fits, 0: none. */
static inline uint32_t
find_signature(const struct path_bucket *b, uint16_t sign)
{
	__m128i have = _mm_load_si128((const __m128i *)b->sign);
	unsigned hits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi16(have, _mm_set1_epi16((short)sign)));

	return hits ? b->path[__builtin_ctz(hits) / 2] : 0;
}

/* A burst comes from one port, where TCP flows keep company: its first packet speaks for all. */
static inline void
prefetch_windows(const struct path_cache *c, const struct path_burst *b)
{
	if (b->n == 0 || (uint8_t)(b->at[0].rest >> KEY_PROTO_SHIFT) != IPPROTO_TCP)
		return;
	for (unsigned i = 0; i < b->n; i++)
		rte_prefetch0(&c->all->windows[c->paths[b->at[i].path].window]);
}

void
path_prepare(struct path_cache *c, struct path_burst *b, const struct path_ingress *in, struct pkt **p, unsigned n, uint64_t now)
{
	b->in = in;
	b->p = p;
	b->n = n;
	b->now = now;
	for (unsigned i = 0; i < n; i++) {
		struct path_lookup *l = &b->at[i];

		l->path = 0;
		l->hash = 0;
		if (in->slot && read_key(c, in, p[i], l))
			rte_prefetch0(path_bucket(c, l->hash));
	}
	for (unsigned i = 0; i < n; i++) {
		struct path_lookup *l = &b->at[i];

		if (!l->hash)
			continue;
		l->path = find_signature(path_bucket(c, l->hash), path_sign(l->hash));
		rte_prefetch0(&c->paths[l->path]);
	}
	prefetch_windows(c, b);
}

/* Two of a bucket may have one signature, and the bucket may have changed since. */
static inline struct path *
path_of_packet(struct path_cache *c, const struct path_lookup *l)
{
	struct path *p = &c->paths[l->path];

	if (unlikely(p->addresses != l->addresses || p->rest != l->rest || !p->recipe))
		p = &c->paths[path_find(c, l)];
	return p;
}

static inline bool
is_in_time(const struct path *p, uint64_t now)
{
	return (int32_t)((uint32_t)(now >> LAST_SHIFT) - p->last) <= (int32_t)(PATH_LIFE >> LAST_SHIFT) &&
	       (int16_t)(path_until(now) - p->until) < 0;
}

/* What few paths ask for, and super-packets. */
static bool __attribute__((noinline))
rare_guards_hold(const struct path *path, const struct pkt *p, const uint8_t *ip, uint32_t len)
{
	uint32_t size = len;

	if (path->flags & PATH_SUSPENDED || (path->flags & PATH_EXACT_TTL && ip[8] != path->ttl_least))
		return false;
	if (path->flags & PATH_EXACT_LENGTH)
		return len == path->length && !pkt_is_gso(p);
	if (pkt_is_gso(p))
		size = IP + (ip[IP + 12] >> 4) * 4u + p->gso_size;
	return size <= path->length;
}

static inline bool
guards_hold(const struct path *path, const struct pkt *p, const uint8_t *ip, uint32_t len)
{
	if (ip[8] < path->ttl_least)
		return false;
	if (unlikely(path->flags & (PATH_SUSPENDED | PATH_EXACT_TTL | PATH_EXACT_LENGTH) || pkt_is_gso(p)))
		return rare_guards_hold(path, p, ip, len);
	return len <= path->length;
}

static bool __attribute__((noinline))
sum_holds(const struct pkt *p, const uint8_t *ip, uint32_t len)
{
	uint64_t pseudo = csum_pseudo4(load32(ip + 12), load32(ip + 16), ip[9], (uint16_t)(len - IP));

	if (ip[9] == IPPROTO_UDP && load16(ip + IP + 6) == 0)
		return true;
	return csum_fold(pkt_chain_sum(p, p->l2_len + (uint32_t)IP, len - IP, pseudo)) == 0xffff;
}

static inline bool
window_follows(struct path_cache *c, const struct path *path, const uint8_t *tcp, uint32_t len)
{
	uint32_t seq = ntohl(load32(tcp + 4)), payload = len - (tcp[12] >> 4) * 4u, ack = ntohl(load32(tcp + 8));
	enum ct_dir dir = path->flags & PATH_REPLY ? CT_DIR_REPLY : CT_DIR_ORIGINAL;
	struct conn_tcp *window = &c->all->windows[path->window];
	rte_spinlock_t *lock = &c->all->windows_more[path->window].lock;
	bool fits;

	if (likely(c->all->n_caches == 1))
		return tcp_follow(window, dir, seq, seq + payload, ack, ntohs(load16(tcp + 14)));
	rte_spinlock_lock(lock);
	fits = tcp_follow(window, dir, seq, seq + payload, ack, ntohs(load16(tcp + 14)));
	rte_spinlock_unlock(lock);
	return fits;
}

static inline void
store16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof(v));
}

/* ~(~check + delta) */
static inline uint16_t
amended(uint16_t check, uint16_t delta)
{
	uint32_t s = (uint32_t)(uint16_t)~check + delta;

	return (uint16_t) ~((s & 0xffff) + (s >> 16));
}

/* As nat/rewrite.c does it, source and destination in one. */
static inline void
translate(const struct path *path, const struct pkt *p, uint8_t *ip, uint8_t *l4)
{
	bool udp = ip[9] == IPPROTO_UDP;
	uint8_t *check = l4 + (udp ? 6 : 16);
	uint16_t sum = load16(check);

	if (unlikely(p->flags & PKT_CSUM_PARTIAL)) {
		uint32_t src = load32(ip + 12), dst = load32(ip + 16);

		sum = csum_fold((uint64_t)sum + (uint32_t)~src + path->src + (uint32_t)~dst + path->dst);
	} else if (!udp || sum != 0) {
		sum = amended(sum, path->l4_delta);
		sum = udp && sum == 0 ? 0xffff : sum;
	}
	store16(check, sum);
	memcpy(ip + 12, &path->src, 4);
	memcpy(ip + 16, &path->dst, 4);
	store16(l4, path->sport);
	store16(l4 + 2, path->dport);
}

/* What ports read of a descriptor. */
static inline void
describe(struct pkt *p, const uint8_t *ip)
{
	const uint8_t *l4 = ip + IP;

	p->flags &= PKT_CSUM_PARTIAL | PKT_CSUM_VALID;
	p->family = AF_INET;
	p->l3_len = IP;
	p->proto = ip[9];
	p->l4_len = p->proto == IPPROTO_TCP ? (uint16_t)((l4[12] >> 4) * 4) : (uint16_t)sizeof(struct udphdr);
}

/* `len`: of the IP packet. */
static inline uint32_t
segments_of(const struct pkt *p, uint32_t len)
{
	uint32_t headers = (uint32_t)IP + p->l4_len;

	return likely(!pkt_is_gso(p) || len <= headers) ? 1 : (len - headers + p->gso_size - 1) / p->gso_size;
}

static inline void
reframe(struct pkt *p, const struct recipe *r)
{
	struct rte_mbuf *m = pkt_mbuf(p);

	/* the port left headroom for a header where there was none (PKT_HEADROOM) */
	m->data_off = (uint16_t)(m->data_off + r->l2_in - r->l2_out);
	m->data_len = (uint16_t)(m->data_len - r->l2_in + r->l2_out);
	m->pkt_len = m->pkt_len - r->l2_in + r->l2_out;
	if (r->l2_out)
		memcpy(rte_pktmbuf_mtod(m, uint8_t *), r->frame_out, sizeof(r->frame_out));
	p->l2_len = r->l2_out;
}

static inline bool
frames_fit(const struct recipe *r, const struct pkt *p, const uint8_t *frame)
{
	if (r->l2_in && memcmp(frame, r->frame_in, sizeof(r->frame_in)) != 0)
		return false;
	return r->l2_out <= r->l2_in || rte_pktmbuf_headroom(pkt_mbuf(p)) >= r->l2_out;
}

/* => where it goes, or NULL: nothing has changed, and it goes the slow way. */
static inline void *
follow(struct path_cache *c, struct path *path, struct pkt *p, uint64_t now, uint64_t epoch)
{
	struct recipe *r = &c->recipes[path->recipe];
	uint8_t *frame = rte_pktmbuf_mtod(pkt_mbuf(p), uint8_t *), *ip = frame + p->l2_len;
	uint32_t len = pkt_len(p) - p->l2_len;

	if (unlikely(r->dead || (r->epoch != epoch && !recipe_renew(c, path->recipe, epoch))))
		return NULL;
	if (unlikely(!is_in_time(path, now) || !guards_hold(path, p, ip, len) || p->l2_len != r->l2_in))
		return NULL;
	if (r->l2_in | r->l2_out && !frames_fit(r, p, frame))
		return NULL;
	if (path->flags & PATH_JUDGES_SUM && !(p->flags & (PKT_CSUM_PARTIAL | PKT_CSUM_VALID)) && !sum_holds(p, ip, len))
		return NULL;
	if (path->window && !window_follows(c, path, ip + IP, len - IP))
		return NULL;
	if (path->flags & PATH_TRANSLATES)
		translate(path, p, ip, ip + IP);
	ip[1] = path->tos;
	ip[8] = (uint8_t)(ip[8] - path->ttl_less);
	store16(ip + 10, amended(load16(ip + 10), path->ip_delta));
	describe(p, ip);
	path->packets++;
	path->bytes += len;
	path->last = (uint32_t)(now >> LAST_SHIFT);
	r->packets++;
	r->bytes += len;
	r->segments += segments_of(p, len);
	if (r->l2_in | r->l2_out)
		reframe(p, r);
	return r->port;
}

unsigned
path_run(struct path_cache *c, struct path_burst *b, unsigned from, void **out)
{
	uint64_t epoch = atomic_load_explicit(&c->all->epoch->n, memory_order_acquire);
	unsigned i;

	for (i = from; i < b->n; i++) {
		const struct path_lookup *l = &b->at[i];

		/* a path that was installed since this burst was prepared may be for it */
		out[i - from] = l->hash ? follow(c, path_of_packet(c, l), b->p[i], b->now, epoch) : NULL;
		if (!out[i - from])
			break;
	}
	c->stats.hits += i - from;
	c->stats.misses += i < b->n;
	return i - from;
}

struct recorder *
path_begin(struct path_cache *c, const struct path_burst *b, unsigned i)
{
	const struct path_lookup *l = &b->at[i];
	const struct pkt *p = b->p[i];
	const uint8_t *frame = pkt_data(p), *ip = frame + p->l2_len;
	struct recorder *rec = &c->recorder;

	if (!l->hash)
		return NULL;
	rec->refused = false;
	rec->because = NULL;
	rec->guards = 0;
	rec->n_reads = rec->n_credits = rec->n_conns = 0;
	rec->most = UINT16_MAX;
	rec->until = b->now + PATH_LIFE;
	rec->pause = UINT64_MAX;
	c->recorded = p;
	c->ingress = b->in;
	c->lookup = *l;
	c->l2 = p->l2_len;
	memcpy(c->frame, frame, p->l2_len);
	c->ttl = ip[8];
	c->ip_id = load16(ip + 4);
	c->len = pkt_len(p) - p->l2_len;
	return rec;
}
