/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Talking to a running fabric: finding it, asking its keeper and its engine. */
#ifndef FABRIC_CLI_CLIENT_H
#define FABRIC_CLI_CLIENT_H

#include "fabric/control/config.h"
#include "fabric/control/wire.h"

/* Set in the programs that `rookery exec` and `shell` run: their fabric, and a descriptor of its run directory. */
#define ENV_FABRIC "ROOKERY_FABRIC"
#define ENV_RUN_FD "ROOKERY_RUN_FD"

enum peer { PEER_KEEPER, PEER_ENGINE, PEER_COUNT };

struct client {
	char fabric[OBJECT_NAME]; /* "": not chosen yet */
	struct wire wire[PEER_COUNT];
	bool open[PEER_COUNT];
};

/* Fabric by name; NULL or "": the only one that runs, found when first needed. */
void client_init(struct client *c, const char *fabric);
void client_fini(struct client *c);

/* Chooses the fabric. => 0, or -errno after a complaint. */
int client_choose(struct client *c);
/* A connection to the peer, kept until client_fini(). NULL after a complaint. */
struct wire *client_wire(struct client *c, enum peer peer);
/*
 * Sends `request` (its reference is taken) and waits for the answer. => the answer, whose "ok" is true
 * (to json_decref()); NULL after a complaint. When the peer does not know the request's node, the
 * complaint names the nearest one.
 */
json_t *client_call(struct client *c, enum peer peer, json_t *request);
/* The same with descriptors that come with the answer: up to WIRE_FDS_MAX, the caller's to close. */
json_t *client_call_fds(struct client *c, enum peer peer, json_t *request, int *fds, size_t *n_fds);
/*
 * The same, but a refusal is an answer too: look at "ok". NULL only when there is no answer at all.
 */
json_t *client_ask(struct client *c, enum peer peer, json_t *request);
/* The same with a descriptor that goes with the request (-1: none) and stays the caller's. */
json_t *client_ask_fd(struct client *c, enum peer peer, json_t *request, int fd);
/* The error sentence of an answer. */
const char *client_error(const json_t *reply);

/* The configuration in use, and its serial. To config_free(); NULL after a complaint. */
struct config *client_config(struct client *c, json_int_t *serial);
/* Node by name, from `cfg`; NULL after a complaint that names the nearest. */
struct cfg_node *client_node(const struct config *cfg, const char *name);
struct cfg_iface *client_iface(const struct cfg_node *node, const char *name);

struct fabric_entry {
	char name[OBJECT_NAME];
	bool answers; /* its keeper takes connections */
};

/* All fabrics of this user, sorted. => 0 with *list to free(); -errno. */
int client_fabrics(struct fabric_entry **list, size_t *n);

#endif
