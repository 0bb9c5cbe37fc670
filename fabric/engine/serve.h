/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control thread's loop: the keeper, and the clients of engine.sock. fabric/control/proto.h says what is spoken. */
#ifndef FABRIC_ENGINE_SERVE_H
#define FABRIC_ENGINE_SERVE_H

#include "fabric/control/wire.h"
#include "fabric/engine/publish.h"

struct client;

struct server {
	struct engine *engine;
	int epoll_fd, listen_fd, signal_fd; /* listen_fd -1: nobody can ask */
	int reserve_fd; /* given up for a moment to turn a client away when no descriptor is left */
	bool has_keeper, stop;
	bool restricted; /* privileges are given up */
	struct wire keeper;
	struct offers offers;
	LIST_HEAD(, client) clients;
};

/* Runs until the keeper closes or a signal comes (SIGINT, SIGTERM, already blocked). => 0 or -errno. */
int serve(struct server *s);

/* show.c: {"op":"show"} and {"op":"status"} => an answer, a new reference. */
json_t *show(struct engine *e, const json_t *request);
json_t *show_status(struct engine *e);

/* client.c */
int client_new(struct server *s, int fd);
void client_free(struct server *s, struct client *c);
/* Readable or writable. */
void client_event(struct server *s, struct client *c, uint32_t events);
/* Something waits for the control thread: probes that are done, captures with packets. */
void clients_notified(struct server *s);

#endif
