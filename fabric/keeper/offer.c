/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/offer.h"

#include "fabric/keeper/carriers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { APPLY_TIMEOUT_MS = 60000 };

static void
send_parcel(struct offer *o)
{
	json_t *msg = json_pack("{ss sO}", "op", "ports", "names", o->names);

	if (o->n > 0 && o->rc == 0)
		o->rc = wire_send(&o->k->engine.wire, msg, o->fds, o->n);
	json_decref(msg);
	json_array_clear(o->names);
	o->n = 0;
}

static void
add(struct offer *o, const char *name, int fd)
{
	json_array_append_new(o->names, json_string(name));
	o->fds[o->n++] = fd;
	if (o->n == WIRE_FDS_MAX)
		send_parcel(o);
}

void
offer_start(struct offer *o, struct keeper *k)
{
	o->k = k;
	o->names = json_array();
	o->n = 0;
	o->rc = 0;
}

void
offer_guest(struct offer *o, const struct nsguest *g, const struct cfg_node *node)
{
	char name[NODE_NAME + IFACE_NAME];

	for (size_t i = 0; i < g->ports.n; i++) {
		const struct ns_port *port = &g->ports.v[i];

		if (!port->offered || port->held || config_iface(node, port->name) == NULL)
			continue;
		snprintf(name, sizeof(name), "%s/%s", node->name, port->name);
		add(o, name, port->fd);
	}
}

static int
engine_refused(struct keeper *k, int rc, const json_t *reply, struct fault *why)
{
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (rc == -EINTR)
		return fault_set(why, rc, "interrupted before it was done");
	if (rc == -ETIMEDOUT)
		return fault_set(why, rc, "the engine does not answer");
	if (rc < 0)
		return fault_set(why, rc, "the engine (%s) ended unexpectedly", k->engine.path);
	return fault_set(
		why, -EINVAL, "%s", error != NULL ? error : "the engine refused, without reason");
}

json_t *
engine_ask_fds(struct keeper *k, const json_t *msg, int fd, int *fds, size_t *n_fds, struct fault *why)
{
	json_t *reply = NULL;
	int rc = msg == NULL ? -ENOMEM : wire_send(&k->engine.wire, msg, &fd, fd >= 0 ? 1 : 0);

	if (rc == 0)
		rc = keeper_await(k, &k->engine.wire, &reply, fds, n_fds, APPLY_TIMEOUT_MS);
	if (rc == -ETIMEDOUT)
		kill(k->engine.pid,
			SIGKILL); /* a late answer would be taken for that of the next change */
	if (rc == 0)
		return reply;
	engine_refused(k, rc, NULL, why);
	return NULL;
}

json_t *
engine_ask(struct keeper *k, const json_t *msg, int fd, struct fault *why)
{
	return engine_ask_fds(k, msg, fd, NULL, NULL, why);
}

int
engine_apply(struct keeper *k, const struct config *to, const struct bundle *bundle,
	const char *origin, uint64_t serial, struct fault *why)
{
	char *text = config_text(to);
	int fd = bundle != NULL ? bundle_write(bundle) : -1, rc = 0;
	json_t *msg, *reply;

	msg = text == NULL || (bundle != NULL && fd < 0)
		      ? NULL
		      : json_pack("{ss ss ss sI}", "op", "apply", "config", text, "origin", origin,
				"serial", (json_int_t)serial);
	free(text);
	if (msg == NULL) {
		if (fd >= 0)
			close(fd);
		return fault_set(why, -ENOMEM, "out of memory");
	}
	reply = engine_ask(k, msg, fd, why);
	if (fd >= 0)
		close(fd);
	if (reply == NULL)
		rc = -EIO;
	else if (!json_is_true(json_object_get(reply, "ok")))
		rc = engine_refused(k, 0, reply, why);
	json_decref(msg);
	json_decref(reply);
	return rc;
}

void
offer_mark_guest(struct nsguest *g, const struct cfg_node *node)
{
	for (size_t i = 0; i < g->ports.n; i++) {
		struct ns_port *port = &g->ports.v[i];
		bool named = node != NULL && config_iface(node, port->name) != NULL;

		port->held = named && port->offered;
	}
}

void
offer_osadevs(struct offer *o, const struct osadev *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].held)
			add(o, v[i].name, v[i].fd);
}

int
offer_finish(struct offer *o, struct fault *why)
{
	send_parcel(o);
	json_decref(o->names);
	return o->rc == 0 ? 0 : engine_refused(o->k, o->rc, NULL, why);
}

int
offer_restore(struct keeper *k, struct fault *why)
{
	struct offer o;
	int rc;

	offer_start(&o, k);
	for (size_t i = 0; i < k->n_guests; i++) {
		const struct cfg_node *node = config_node(k->config, k->guests[i]->name);

		/* A dead one's too: its namespace lives as long as they are open. */
		offer_guest(&o, k->guests[i], node);
	}
	offer_osadevs(&o, k->osadevs, k->n_osadevs);
	rc = offer_finish(&o, why);
	if (rc == 0)
		rc = engine_apply(k, k->config, &k->bundle, k->origin, k->serial, why);
	for (size_t i = 0; rc == 0 && i < k->n_guests; i++) {
		offer_mark_guest(k->guests[i], config_node(k->config, k->guests[i]->name));
		nsguest_tell_changes(k, k->guests[i]);
	}
	for (size_t i = 0; rc == 0 && i < k->n_osadevs; i++)
		k->osadevs[i].held = true;
	if (rc == 0)
		osadevs_tell_carriers(k);
	return rc;
}

int
keeper_restore_engine(struct keeper *k, struct fault *why)
{
	for (size_t i = 0; i < k->n_guests; i++)
		offer_mark_guest(k->guests[i], NULL);
	for (size_t i = 0; i < k->n_osadevs; i++)
		k->osadevs[i].held = false;
	return offer_restore(k, why);
}
