/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/walkers.h"

static struct test_env *
env_of(struct env *env)
{
	return &((struct test_walker *)env)->t;
}

static struct pkt *
make(struct env *env, uint32_t len)
{
	return env_pkt_new(&env_of(env)->env, len);
}

static struct pkt *
copy(struct env *env, const struct pkt *p)
{
	return env_of(env)->allocs_left ? env_pkt_copy(&env_of(env)->env, p) : NULL;
}

static void
release(struct env *env, struct pkt *p)
{
	env_pkt_free(&env_of(env)->env, p);
}

static void
emit(struct env *env, struct pkt *p, enum pkt_origin origin)
{
	env_emit(&env_of(env)->env, p, origin);
}

static const struct env_ops ops = {
	.pkt_new = make, .pkt_copy = copy, .pkt_free = release, .emit = emit};

static void
keep(struct walker *w, uint32_t port, struct pkt *p)
{
	p->out_slot = (uint16_t)port;
	STAILQ_INSERT_TAIL(&((struct test_walker *)w)->sent, p, queue);
}

void
test_walker_init(struct test_walker *tw, uint64_t seed)
{
	memset(tw, 0, sizeof(*tw));
	test_env_init(&tw->t, seed);
	tw->w.env = tw->t.env;
	tw->w.env.ops = &ops;
	tw->w.send = keep;
	tw->w.fabric = &tw->fabric;
	tw->fabric = (struct fabric){.routers = tw->routers,
		.n_routers = TEST_ROUTERS,
		.lans = tw->lans,
		.n_lans = TEST_LANS};
	STAILQ_INIT(&tw->sent);
}

unsigned
test_walker_fini(struct test_walker *tw)
{
	struct pkt *p;

	while ((p = test_sent(tw, NULL)))
		test_pkt_free(&tw->t, p);
	return test_env_fini(&tw->t);
}

void
test_walker_run(struct test_walker *tw)
{
	struct pkt *p;

	while ((p = test_next(&tw->t, NULL)))
		router_start(&tw->w, p);
}

void
test_walker_pass(struct test_walker *tw, uint64_t ns)
{
	test_pass(&tw->t, ns);
	tw->w.env.now = tw->t.env.now;
	test_walker_run(tw);
}

struct pkt *
test_sent(struct test_walker *tw, uint32_t *port)
{
	struct pkt *p = STAILQ_FIRST(&tw->sent);

	if (!p)
		return NULL;
	STAILQ_REMOVE_HEAD(&tw->sent, queue);
	if (port)
		*port = p->out_slot;
	return p;
}
