/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one configuration to the next, or nowhere.
 *
 *    plan     which guests are new, gone, or made anew; which stay and differ
 *    prepare  start the new guests, make new devices in the others, open adapters' devices,
 *             write the hosts file: all that can fail, and nothing of it is used yet
 *    engine   offer it what it lacks, have it apply: refused means undo the preparation
 *    alter    addresses, routes and settings of the guests that stay, in place: a refusal of
 *             the kernel means alter back, have the engine apply the old one, undo the rest
 *    settle   cannot fail: what is gone goes, programs start and end, the new one is what runs
 *
 * The start is the change from nothing. Everything happens in one go while requests wait; only a
 * request to end interrupts it. Which descriptors the engine has is kept with each (`held`): the
 * engine closes those that an applied configuration does not name, and a new engine has none.
 */
#include "fabric/keeper/keeper.h"

#include "fabric/keeper/carriers.h"
#include "fabric/keeper/hosts.h"
#include "fabric/keeper/offer.h"
#include "fabric/keeper/osadev.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { AT_A_TIME = 32 };

struct stay {
	struct nsguest *guest;
	const struct cfg_node *from, *to;
};

struct change {
	struct keeper *k;
	const struct config *from; /* NULL at the start */
	struct config *to;
	struct bundle *bundle; /* NULL: rules stay */
	struct nsguest **added; /* not in the list before the change is settled */
	const struct cfg_node **added_nodes;
	size_t n_to_add, n_added; /* planned; started */
	struct nsguest **gone;
	size_t n_gone;
	struct stay *stays; /* those that differ */
	size_t n_stays, n_prepared, n_altered;
	struct osadev *osadevs; /* of `to`; those that stay are copies */
	size_t n_osadevs;
};

/* ---- plan ---- */

static bool
same_devices(const struct cfg_node *a, const struct cfg_node *b)
{
	for (size_t i = 0; i < b->n_ifaces; i++) {
		const struct cfg_iface *was = config_iface(a, b->ifaces[i].name);

		if (was != NULL && !ns_same_device(a, was, b, &b->ifaces[i]))
			return false;
	}
	return true;
}

static void
plan_node(struct change *c, const struct cfg_node *to)
{
	struct nsguest *g = nsguest_find(c->k, to->name);
	const struct cfg_node *from = c->from != NULL ? config_node(c->from, to->name) : NULL;

	if (g != NULL && from != NULL && g->state == NSGUEST_ALIVE && g->kind == to->kind &&
		same_devices(from, to)) {
		c->stays[c->n_stays++] = (struct stay){.guest = g, .from = from, .to = to};
		return;
	}
	c->added_nodes[c->n_to_add++] = to;
	if (g != NULL)
		c->gone[c->n_gone++] = g;
}

static int
plan(struct change *c, struct fault *why)
{
	size_t n = c->to->n_nodes + 1;

	c->added = calloc(n, sizeof(*c->added));
	c->added_nodes = calloc(n, sizeof(*c->added_nodes));
	c->stays = calloc(n, sizeof(*c->stays));
	c->gone = calloc(c->k->n_guests + 1, sizeof(*c->gone));
	c->osadevs = calloc(c->to->n_osas + 1, sizeof(*c->osadevs));
	if (!c->added || !c->added_nodes || !c->stays || !c->gone || !c->osadevs)
		return fault_set(why, -ENOMEM, "out of memory");
	for (size_t i = 0; i < c->k->n_guests; i++) {
		const struct cfg_node *to = config_node(c->to, c->k->guests[i]->name);

		if (to == NULL || !nsguest_wanted(to))
			c->gone[c->n_gone++] = c->k->guests[i];
	}
	for (size_t i = 0; i < c->to->n_nodes; i++)
		if (nsguest_wanted(&c->to->nodes[i]))
			plan_node(c, &c->to->nodes[i]);
	return 0;
}

static void
change_fini(struct change *c)
{
	free(c->added);
	free(c->added_nodes);
	free(c->stays);
	free(c->gone);
	free(c->osadevs);
}

/* ---- prepare ---- */

static int
write_hosts(struct keeper *k, const struct config *c, struct fault *why)
{
	size_t len = 0;
	char *text = hosts_text(c, &len);
	int rc = text == NULL ? fault_set(why, -ENOMEM, "out of memory")
			      : run_dir_write(k->hosts, "hosts", text, len, why);

	free(text);
	return rc;
}

static struct osadev *
find_osadev(struct osadev *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return &v[i];
	return NULL;
}

static bool
same_osadev(const struct osadev *a, const struct osadev *b)
{
	return a != NULL && b != NULL && a->fd == b->fd;
}

static int
prepare_osa(struct change *c, const struct cfg_osa *osa, struct fault *why)
{
	struct osadev *was = find_osadev(c->k->osadevs, c->k->n_osadevs, osa->name);
	struct osadev *is = &c->osadevs[c->n_osadevs];

	if (was != NULL && strcmp(was->device, osa->network) == 0) {
		*is = *was;
		c->n_osadevs++;
		return 0;
	}
	if (osadevs_watch(c->k, why) < 0)
		return -ECANCELED;
	memcpy(is->name, osa->name, sizeof(is->name));
	is->device = strdup(osa->network);
	if (is->device == NULL)
		return fault_set(why, -ENOMEM, "out of memory");
	is->fd = osadev_open(osa->name, osa->network, why);
	if (is->fd < 0) {
		free(is->device);
		return is->fd;
	}
	is->ifindex = if_nametoindex(osa->network);
	is->up = osadev_running(osa->network);
	c->n_osadevs++;
	return 0;
}

/* Closes those of `v` that `others` do not share. */
static void
close_osadevs(struct osadev *v, size_t n, struct osadev *others, size_t n_others)
{
	for (size_t i = 0; i < n; i++) {
		if (same_osadev(&v[i], find_osadev(others, n_others, v[i].name)))
			continue;
		close(v[i].fd);
		free(v[i].device);
	}
}

/*
 * Many at a time, but not all: inits that wait for each other's locks in the kernel keep the
 * processors busy with waiting. 1,000 guests on two processors took 22 s all at once.
 */
static int
make_added(struct change *c, struct fault *why)
{
	size_t collected = 0;
	int rc = 0;

	while (rc == 0 && collected < c->n_to_add) {
		if (c->n_added == c->n_to_add || c->n_added - collected == AT_A_TIME) {
			rc = nsguest_collect(
				c->k, c->added[collected], c->added_nodes[collected], why);
			collected++;
			continue;
		}
		c->added[c->n_added] = nsguest_start(c->k, c->added_nodes[c->n_added], why);
		if (c->added[c->n_added] == NULL)
			return -ECANCELED;
		c->n_added++;
	}
	return rc;
}

static int
prepare(struct change *c, struct fault *why)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->to->n_osas; i++)
		if (c->to->osas[i].side == CFG_OSA_DEVICE)
			rc = prepare_osa(c, &c->to->osas[i], why);
	for (size_t i = 0; rc == 0 && i < c->n_stays; i++) {
		struct stay *s = &c->stays[i];

		c->n_prepared = i + 1;
		rc = nsguest_add_ports(s->guest, s->from, s->to, why);
	}
	if (rc == 0)
		rc = make_added(c, why);
	return rc == 0 ? write_hosts(c->k, c->to, why) : rc;
}

static void
undo_prepare(struct change *c)
{
	if (c->from != NULL)
		write_hosts(c->k, c->from, NULL);
	for (size_t i = 0; i < c->n_prepared; i++)
		nsguest_drop_ports(c->stays[i].guest, c->stays[i].from);
	close_osadevs(c->osadevs, c->n_osadevs, c->k->osadevs, c->k->n_osadevs);
	for (size_t i = 0; i < c->n_added; i++)
		nsguest_kill(c->added[i]);
	for (size_t i = 0; i < c->n_added; i++)
		nsguest_free(c->k, c->added[i]);
}

/* ---- engine ---- */

/* The engine has what `to` names, and no more. */
static void
mark_held(struct change *c)
{
	for (size_t i = 0; i < c->n_gone; i++)
		offer_mark_guest(c->gone[i], NULL);
	for (size_t i = 0; i < c->n_stays; i++)
		offer_mark_guest(c->stays[i].guest, c->stays[i].to);
	for (size_t i = 0; i < c->n_added; i++)
		offer_mark_guest(c->added[i], c->added_nodes[i]);
	for (size_t i = 0; i < c->k->n_osadevs; i++)
		c->k->osadevs[i].held = false;
	for (size_t i = 0; i < c->n_osadevs; i++)
		c->osadevs[i].held = true;
}

static int
change_engine(struct change *c, const char *origin, struct fault *why)
{
	struct offer o;
	int rc;

	offer_start(&o, c->k);
	for (size_t i = 0; i < c->n_stays; i++)
		offer_guest(&o, c->stays[i].guest, c->stays[i].to);
	for (size_t i = 0; i < c->n_added; i++)
		offer_guest(&o, c->added[i], c->added_nodes[i]);
	offer_osadevs(&o, c->osadevs, c->n_osadevs);
	rc = offer_finish(&o, why);
	if (rc == 0)
		rc = engine_apply(c->k, c->to, c->bundle, origin, c->k->serial + 1, why);
	if (rc == 0)
		mark_held(c);
	return rc;
}

/* ---- alter ---- */

static bool
differs(const struct stay *s)
{
	return !config_node_equal(s->from, s->to);
}

static int
alter(struct change *c, struct fault *why)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n_stays; i++) {
		struct stay *s = &c->stays[i];

		c->n_altered = i + 1;
		if (differs(s))
			rc = nsguest_change(s->guest, s->from, s->to, why);
	}
	return rc;
}

static void
alter_back(struct change *c)
{
	struct fault why;

	for (size_t i = 0; i < c->n_altered; i++) {
		struct stay *s = &c->stays[i];

		if (differs(s) && nsguest_change(s->guest, s->to, s->from, &why) < 0)
			log_line(LOG_ERROR, "keeper", "cannot undo a change: %s", why.text);
	}
	if (c->from != NULL && offer_restore(c->k, &why) < 0)
		log_line(LOG_ERROR, "keeper", "the engine did not go back: %s", why.text);
}

/* ---- settle ---- */

static void
remove_gone(struct change *c)
{
	for (size_t i = 0; i < c->n_gone; i++) {
		nsguest_take_out(c->k, c->gone[i]);
		nsguest_kill(c->gone[i]);
	}
	for (size_t i = 0; i < c->n_gone; i++)
		nsguest_free(c->k, c->gone[i]);
	for (size_t i = 0; i < c->n_stays; i++)
		nsguest_drop_ports(c->stays[i].guest, c->stays[i].to);
	close_osadevs(c->k->osadevs, c->k->n_osadevs, c->osadevs, c->n_osadevs);
	free(c->k->osadevs);
	c->k->osadevs = c->osadevs;
	c->k->n_osadevs = c->n_osadevs;
	c->osadevs = NULL;
}

/* Routers that are gone take their rules with them. */
static void
settle_bundle(struct change *c)
{
	struct bundle *b = &c->k->bundle;

	if (c->bundle != NULL) {
		bundle_fini(b);
		*b = *c->bundle;
		*c->bundle = (struct bundle){0};
	}
	for (size_t i = b->n; i > 0; i--) {
		const struct cfg_node *node = config_node(c->to, b->items[i - 1].node);

		if (node == NULL || node->kind != CFG_ROUTER)
			bundle_set(b, b->items[i - 1].node, b->items[i - 1].kind, NULL, 0);
	}
}

static void
settle(struct change *c)
{
	struct keeper *k = c->k;

	remove_gone(c);
	for (size_t i = 0; i < c->n_added; i++)
		nsguest_insert(k, c->added[i]);
	for (size_t i = 0; i < c->n_added; i++)
		nsguest_run_programs(k, c->added[i], c->added_nodes[i]);
	for (size_t i = 0; i < c->n_stays; i++)
		nsguest_run_programs(k, c->stays[i].guest, c->stays[i].to);
	config_free(k->config);
	k->config = c->to;
	settle_bundle(c);
	k->serial++;
	osadevs_tell_carriers(k);
}

static int
make_it_so(struct change *c, const char *origin, struct fault *why)
{
	int rc = prepare(c, why);

	if (rc == 0)
		rc = change_engine(c, origin, why);
	if (rc == 0) {
		rc = alter(c, why);
		if (rc < 0)
			alter_back(c);
	}
	if (rc < 0)
		undo_prepare(c);
	else
		settle(c);
	return rc;
}

int
keeper_change(struct keeper *k, struct config *to, struct bundle *bundle, const char *origin,
	struct fault *why)
{
	struct change c = {.k = k, .from = k->config, .to = to, .bundle = bundle};
	char *kept = strdup(origin);
	/* What settle() needs is had before anything is done. */
	struct nsguest **room =
		reallocarray(k->guests, k->n_guests + to->n_nodes + 1, sizeof(*room));
	int rc = kept == NULL || room == NULL ? fault_set(why, -ENOMEM, "out of memory") : 0;

	if (room != NULL)
		k->guests = room;
	if (rc == 0)
		rc = plan(&c, why);
	if (rc == 0)
		rc = make_it_so(&c, origin, why);
	change_fini(&c);
	if (rc < 0) {
		free(kept);
		return rc;
	}
	free(k->origin);
	k->origin = kept;
	return 0;
}
