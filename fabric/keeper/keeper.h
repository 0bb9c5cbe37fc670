/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keeper: see keeper.c. One thread; every function here is called from it. */
#ifndef FABRIC_KEEPER_KEEPER_H
#define FABRIC_KEEPER_KEEPER_H

#include "fabric/base/log.h"
#include "fabric/control/bundle.h"
#include "fabric/control/wire.h"
#include "fabric/keeper/engine_child.h"
#include "fabric/keeper/fault.h"
#include "fabric/keeper/nsguest.h"
#include "fabric/keeper/run_dir.h"
#include "fabric/keeper/sweeper.h"
#include "fabric/keeper/watcher.h"

#include <sys/resource.h>

struct keeper_options {
	const char *file;
	const char *engine;   /* path, or NULL: looked for */
	const char *run_root; /* RUN, or NULL: the user's own */
	int ready_fd;         /* where start is reported, or -1 */
	int bundle_fd;        /* rules of the first configuration (bundle.h), or -1 */
	enum log_level log_level;
};

/* A device of the host that an adapter stands on. */
struct osadev {
	char name[OBJECT_NAME]; /* of the adapter */
	char *device;
	int fd;
	unsigned ifindex;
	bool up;   /* it has a carrier, as last reported */
	bool held; /* the engine has it */
};

struct keeper {
	struct keeper_options options;
	struct config *config; /* what runs; NULL before the first change is done */
	char *origin;          /* where it came from, for messages */
	struct bundle bundle;  /* rules and sets of its routers, as last changed; the engine has them too */
	uint64_t serial;       /* counts changes, from 1 */
	bool unprivileged, ready, stopping;
	int exit_code;
	int console;         /* standard error as it was, until the start is over; then -1 */
	int epoll, hosts;    /* descriptors */
	struct rlimit files; /* as found */
	struct watcher terminations, deaths, listener, engine_watch;
	struct watcher carriers; /* of the devices that adapters stand on (carriers.c); fd -1 while there never was one */
	struct run_dir run;
	struct sweeper sweeper;
	struct engine_child engine;
	struct nsguest **guests; /* sorted by name, case ignored */
	size_t n_guests;
	struct osadev *osadevs;
	size_t n_osadevs;
	struct peer *peers;
	int64_t started_ms; /* CLOCK_MONOTONIC */
};

/* Runs a fabric from start to end. => exit code */
int keeper_run(const struct keeper_options *options);

/* All up to the fabric being up; *config is the caller's to free if it fails. => 0, or -errno with
 * `why`. */
int keeper_start(struct keeper *k, struct config **config, struct fault *why);
/* An engine that has nothing yet. => 0, or -errno with `why`. */
int keeper_start_engine(struct keeper *k, struct fault *why);
/* A line for the log, and during start for the user as well. */
void keeper_say(struct keeper *k, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * wire_recv() that waits, but not past a request to end: => also -EINTR, -ETIMEDOUT.
 */
int keeper_await(
	struct keeper *k, struct wire *w, json_t **msg, int *fds, size_t *n_fds, int timeout_ms);
int64_t keeper_now_ms(void);

/*
 * Makes `to` what runs, or changes nothing. The engine runs. `to` and what *bundle holds become the
 * keeper's with 0 only; no bundle: every router keeps its rules. => 0, or -errno with `why`.
 */
int keeper_change(struct keeper *k, struct config *to, struct bundle *bundle, const char *origin,
	struct fault *why);
/* Offers everything to an engine just started and has it apply what runs. => 0, or -errno with
 * `why`. */
int keeper_restore_engine(struct keeper *k, struct fault *why);

/*
 * Sends a request of one descriptor (-1: none) to the engine and waits. => its answer, to json_decref();
 * NULL with `why`.
 */
json_t *engine_ask(struct keeper *k, const json_t *msg, int fd, struct fault *why);
/* The same with descriptors that come with the answer: up to WIRE_FDS_MAX, the caller's to close. */
json_t *engine_ask_fds(struct keeper *k, const json_t *msg, int fd, int *fds, size_t *n_fds, struct fault *why);

/* Takes connections on keeper.sock (request.c). */
void request_accept(struct keeper *k, struct watcher *w, uint32_t events);
/* Tells all who wait for the end that it has come, or that the start failed, and closes them. */
void request_end(struct keeper *k, const char *error);

#endif
