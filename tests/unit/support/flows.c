/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/flows.h"

#include "fabric/base/csum.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

void
test_flows_init(struct test_flows *f, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	test_env_init(&f->env, seed);
	test_router_init(&f->router);
	f->router.live.now = &f->router.r;
	f->router.live.filters = &f->filters;
	f->filters.conntrack = conntrack_new(&f->router.live, seed);
	if (!f->filters.conntrack)
		abort();
}

unsigned
test_flows_fini(struct test_flows *f)
{
	unsigned left;

	conntrack_flush(&f->env.env, f->filters.conntrack);
	ct_expect_free(&f->env.env, f->filters.conntrack);
	left = f->filters.conntrack->count;
	conntrack_free(f->filters.conntrack, &f->env.env);
	f->filters.conntrack = NULL;
	test_router_fini(&f->router, &f->env);
	return left + test_env_fini(&f->env);
}

size_t
test_segment_saying(uint8_t *buf, const struct test_ip *ip, uint16_t sport, uint16_t dport,
	const struct test_segment *s, const void *text)
{
	size_t header = sizeof(struct tcphdr) + s->options_len, all = header + s->len;
	struct tcphdr h = {
		.source = htons(sport),
		.dest = htons(dport),
		.seq = htonl(s->seq),
		.ack_seq = htonl(s->ack),
		.doff = (unsigned)(header / 4) & 15,
		.window = htons(s->win),
	};
	uint8_t *l4 = malloc(all);
	uint64_t sum =
		csum_pseudo4(inet_addr(ip->src), inet_addr(ip->dst), IPPROTO_TCP, (uint16_t)all);
	size_t len;

	if (!l4)
		abort();
	memset(l4, 0, all);
	memcpy(l4, &h, sizeof(h));
	l4[13] = s->flags;
	if (s->options_len)
		memcpy(l4 + sizeof(h), s->options, s->options_len);
	if (text)
		memcpy(l4 + header, text, s->len);
	h.check = (uint16_t)~csum_fold(csum_add(sum, l4, all));
	memcpy(l4 + offsetof(struct tcphdr, check), &h.check, 2);
	len = test_ip4(buf, ip, IPPROTO_TCP, l4, all);
	free(l4);
	return len;
}

size_t
test_segment(uint8_t *buf, const struct test_ip *ip, uint16_t sport, uint16_t dport,
	const struct test_segment *s)
{
	return test_segment_saying(buf, ip, sport, dport, s, NULL);
}

struct pkt *
test_arrive(struct test_flows *f, const void *data, size_t len)
{
	struct pkt *p = test_pkt(&f->env, data, len);

	p->router = &f->router.r;
	p->in = &f->router.ifaces[TEST_ETH0];
	if (pkt_parse(p) != DROP_NONE)
		abort();
	return p;
}

bool
test_track(struct test_flows *f, struct pkt *p)
{
	f->why = DROP_NONE;
	return conntrack_input(&f->env.env, &f->router.r, p, RULES_PREROUTING, &f->why) ==
		       FILTER_ACCEPT &&
	       conntrack_confirm(&f->env.env, &f->router.r, p, &f->why) == FILTER_ACCEPT;
}

uint32_t
test_pass_through(struct test_flows *f, const void *data, size_t len)
{
	struct pkt *p = test_arrive(f, data, len);
	uint32_t state = test_track(f, p) ? conntrack_state_bit(p) : 0;

	env_pkt_free(&f->env.env, p);
	return state;
}

struct conn *
test_conn(struct test_flows *f, uint8_t proto, const char *src, uint16_t sport, const char *dst,
	uint16_t dport)
{
	struct ct_tuple t;
	enum ct_dir dir;

	memset(&t, 0, sizeof(t));
	t.src = test_addr(src);
	t.dst = test_addr(dst);
	t.sport = htons(sport);
	t.dport = proto == IPPROTO_ICMP ? dport : htons(dport);
	t.proto = proto;
	return conntrack_find(f->filters.conntrack, f->env.env.now, &t, 0, &dir);
}

static void
must(bool holds, const char *what, uint32_t index)
{
	if (holds)
		return;
	fprintf(stderr, "conntrack_check: %s (%u)\n", what, index);
	abort();
}

static uint32_t
links_in_hash(const struct conntrack *ct)
{
	uint32_t b, links = 0;

	for (b = 0; b < ct->n_buckets; b++) {
		uint32_t head = ct_chain_near(ct, 0, b), link = head;

		for (; link; link = ct_chain_next(ct, link)) {
			const struct conn *c = conn_at(ct, link >> 1);

			must(ct_confirmed(c) && !(c->status & CT_DYING), "in the hash, but dead",
				link >> 1);
			must(ct_chain_near(ct, c->hash[link & 1], 0) == head,
				"in a wrong bucket", link >> 1);
			must(++links <= 2 * ct->count, "a chain goes round", link >> 1);
		}
	}
	return links;
}

static uint32_t
conns_in_wheel(const struct conntrack *ct)
{
	uint32_t level, slot, n = 0;

	for (level = 0; level < WHEEL_LEVELS; level++)
		for (slot = 0; slot < WHEEL_SLOTS; slot++) {
			uint32_t i = ct->wheel.head[level][slot], prev = 0;

			must((i != 0) == (ct->wheel.used[level] >> slot & 1), "slot and its bit",
				slot);
			for (; i; prev = i, i = conn_at(ct, i)->due_next) {
				const struct conn *c = conn_at(ct, i);

				must(c->due_slot == level * WHEEL_SLOTS + slot + 1,
					"in a wrong slot", i);
				must(c->due_prev == prev, "a broken list", i);
				must(c->due >= ct->wheel.base, "due in the past", i);
				must(c->expires >> WHEEL_TICK_SHIFT >= c->due - 1u ||
						c->due == ct->wheel.base,
					"it ends before it is looked at", i);
				n++;
			}
		}
	return n;
}

static uint32_t
vacant_records(const struct conntrack *ct)
{
	uint32_t i, n = 0;

	for (i = ct->vacant; i; i = conn_at(ct, i)->next[0])
		must(++n < ct->used && conn_at(ct, i)->refs == 0, "a free record is held", i);
	return n;
}

void
test_conntrack_check(const struct conntrack *ct, uint32_t held)
{
	uint64_t refs = 0, expecting = 0, in_table = 0, clashes = 0, owned = held;
	uint32_t i;

	must(ct->count == ct->used - 1 - vacant_records(ct), "count", ct->count);
	for (i = 1; i < ct->used; i++) {
		const struct conn *c = conn_at(ct, i);
		bool alive = ct_confirmed(c) && !(c->status & CT_DYING);

		refs += c->refs;
		if (c->refs == 0)
			continue;
		expecting += c->expecting;
		in_table += alive;
		clashes += alive && c->status & CT_NAT_CLASH;
		owned += c->master != 0;
	}
	must(in_table == ct->linked, "connections in the table", ct->linked);
	must(links_in_hash(ct) == 2 * in_table - clashes, "links in the hash", ct->linked);
	must(conns_in_wheel(ct) == in_table, "connections in the wheel", ct->linked);
	must(expecting == ct->n_expect, "expectations", ct->n_expect);
	must(refs == owned + in_table + expecting, "references", (uint32_t)refs);
	must(in_table == 0 || timer_armed(&ct->wheel.timer), "nothing will end them", ct->linked);
	must(in_table > 0 || !timer_armed(&ct->wheel.timer), "a timer for nothing", ct->linked);
}
