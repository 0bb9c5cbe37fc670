/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes in a guest that is alive, from inside and from outside.
 *
 * What someone in there does to interfaces and addresses, a netlink socket of its namespace
 * reports; it is compared with what was known, logged, and told to the engine.
 *
 * What an apply does is not sent to the init: the keeper goes into the guest's network namespace
 * for the moment, with the code that the init used to build it (netns.h), comes back, and takes in
 * the reports of its own doing without a word.
 */
#include "fabric/keeper/keeper.h"
#include "fabric/keeper/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what someone in there changed ---- */

static void
tell_engine(struct keeper *k, const struct nsguest *g, const struct ns_port *port, const char *key,
	json_t *value)
{
	char name[NODE_NAME + IFACE_NAME];
	json_t *msg;

	snprintf(name, sizeof(name), "%s/%s", g->name, port->name);
	msg = json_pack("{ss ss so}", "op", "guest", "port", name, key, value);
	if (port->offered && k->engine.pid > 0)
		wire_send(&k->engine.wire, msg, NULL, 0);
	json_decref(msg);
}

void
nsguest_tell_changes(struct keeper *k, struct nsguest *g)
{
	for (size_t i = 0; i < g->ports.n; i++) {
		struct ns_port *port = &g->ports.v[i];

		if (port->down)
			tell_engine(k, g, port, "up", json_false());
		if (port->moved)
			tell_engine(k, g, port, "addresses", json_incref(port->addresses));
	}
}

static void
link_changed(struct keeper *k, struct nsguest *g, struct ns_port *port, bool up)
{
	if (port->down == !up)
		return;
	port->down = !up;
	if (g->own_change)
		return;
	log_line(LOG_INFO, "keeper", "guest %s: interface %s is %s now", g->name, port->name,
		up ? "up" : "down");
	tell_engine(k, g, port, "up", json_boolean(up));
}

static void
address_changed(
	struct keeper *k, struct nsguest *g, struct ns_port *port, const struct watch_event *e)
{
	char text[PREFIX_TEXT];
	size_t i, n = json_array_size(port->addresses);

	prefix_text(&e->local, text);
	for (i = 0; i < n; i++)
		if (strcmp(json_string_value(json_array_get(port->addresses, i)), text) == 0)
			break;
	if ((i < n) == e->present)
		return;
	if (e->present)
		json_array_append_new(port->addresses, json_string(text));
	else
		json_array_remove(port->addresses, i);
	if (g->own_change)
		return;
	port->moved = true;
	log_line(LOG_INFO, "keeper", "guest %s: interface %s %s address %s", g->name, port->name,
		e->present ? "has now" : "has no longer", text);
	tell_engine(k, g, port, "addresses", json_deep_copy(port->addresses));
}

struct seen {
	struct keeper *k;
	struct nsguest *g;
};

static void
change_seen(const struct watch_event *e, void *arg)
{
	struct seen *s = arg;

	for (size_t i = 0; i < s->g->ports.n; i++) {
		struct ns_port *port = &s->g->ports.v[i];

		if (port->ifindex != e->ifindex)
			continue;
		if (e->kind == WATCH_LINK)
			link_changed(s->k, s->g, port, e->up);
		else
			address_changed(s->k, s->g, port, e);
	}
}

void
nsguest_changes_seen(struct keeper *k, struct watcher *w, uint32_t events)
{
	struct seen s = {.k = k, .g = watcher_owner(w, struct nsguest, changes)};
	int rc = watch_read(w->fd, change_seen, &s);

	(void)events;
	if (rc < 0)
		log_line(LOG_WARNING, "keeper", "guest %s: reports of changes were lost: %s",
			s.g->name, strerror(-rc));
}

/* ---- changes from outside ---- */

/* Goes into the guest's network namespace. => descriptor of our own to go back to, or -errno. */
static int
enter(const struct nsguest *g)
{
	char path[40];
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)g->pid);
	there = g->pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
		rc = g->pid > 0 ? -errno : -ESRCH;
	if (there >= 0)
		close(there);
	if (rc < 0 && home >= 0)
		close(home);
	return rc < 0 ? rc : home;
}

static void
leave(int home)
{
	/* Nothing right can be done in the wrong namespace: the sweeper clears up after this. */
	if (setns(home, CLONE_NEWNET) < 0)
		abort();
	close(home);
}

static int
cannot_enter(const struct nsguest *g, int rc, struct fault *why)
{
	return fault_set(why, rc, "cannot enter guest %s: %s", g->name, strerror(-rc));
}

static int
add_port(struct nsguest *g, const struct cfg_node *node, const struct cfg_iface *iface,
	struct fault *why)
{
	struct ns_port *port = ns_ports_add(&g->ports);
	int rc;

	if (port == NULL)
		return fault_set(why, -ENOMEM, "out of memory");
	snprintf(port->name, sizeof(port->name), "%s", iface->name);
	rc = ns_port_make(node, iface, iface->name, port, why);
	nsguest_expect(port, iface);
	if (rc < 0)
		ns_ports_remove(&g->ports, iface->name);
	return rc;
}

int
nsguest_add_ports(struct nsguest *g, const struct cfg_node *from, const struct cfg_node *to,
	struct fault *why)
{
	int home = enter(g), rc = 0;

	if (home < 0)
		return cannot_enter(g, home, why);
	for (size_t i = 0; rc == 0 && i < to->n_ifaces; i++)
		if (config_iface(from, to->ifaces[i].name) == NULL)
			rc = add_port(g, to, &to->ifaces[i], why);
	leave(home);
	return rc < 0 ? fault_prefix(why, rc, "guest %s: ", g->name) : 0;
}

/* The reports are there when the kernel has answered: they are taken in without a word. */
static void
forget_own_changes(struct nsguest *g)
{
	struct seen s = {.g = g};

	g->own_change = true;
	watch_read(g->changes.fd, change_seen, &s);
	g->own_change = false;
}

void
nsguest_drop_ports(struct nsguest *g, const struct cfg_node *node)
{
	for (size_t i = g->ports.n; i-- > 0;)
		if (config_iface(node, g->ports.v[i].name) == NULL)
			ns_ports_remove(&g->ports, g->ports.v[i].name);
}

int
nsguest_change(struct nsguest *g, const struct cfg_node *from, const struct cfg_node *to,
	struct fault *why)
{
	char sys[40];
	int home = enter(g), rc;

	if (home < 0)
		return cannot_enter(g, home, why);
	/* The /proc of the host may be read-only; that of the guest is its own. */
	snprintf(sys, sizeof(sys), "/proc/%d/root/proc/sys", (int)g->pid);
	rc = ns_change(from, to, sys, why);
	leave(home);
	forget_own_changes(g);
	return rc < 0 ? fault_prefix(why, rc, "guest %s: ", g->name) : 0;
}
