/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest in namespaces of its own, or the control namespace of a router, as the keeper sees it: its
 * init (nsinit.h), its ports, its programs.
 *
 *    start -> STARTING -- collect --> ALIVE -- its init died --> DEAD
 *                 |                     |                          |
 *                 +--------------- kill and free ------------------+
 *
 * A dead one stays in the list so that its user sees it; the next change makes it anew.
 */
#ifndef FABRIC_KEEPER_NSGUEST_H
#define FABRIC_KEEPER_NSGUEST_H

#include "fabric/control/config.h"
#include "fabric/control/wire.h"
#include "fabric/keeper/fault.h"
#include "fabric/keeper/netns.h"
#include "fabric/keeper/watcher.h"

enum program_state {
	PROGRAM_STARTING,
	PROGRAM_RUNNING,
	PROGRAM_EXITED,
	PROGRAM_KILLED,
	PROGRAM_LOST
};

struct program {
	struct program *next;
	json_int_t id; /* unique in its guest */
	char *command;
	int pid; /* in the guest */
	enum program_state state;
	int code; /* exit code or signal */
};

enum nsguest_state { NSGUEST_STARTING, NSGUEST_ALIVE, NSGUEST_DEAD };

struct nsguest {
	char name[NODE_NAME];
	enum cfg_node_kind kind;
	enum nsguest_state state;
	pid_t pid; /* of its init, not yet reaped; else 0 */
	struct wire wire;
	struct watcher command, changes; /* its init; the netlink socket in its namespace */
	bool own_change;                 /* what the namespace reports now, the keeper did */
	struct ns_ports ports;
	struct program *programs;
	json_int_t next_program;
};

/* True for a node that has namespaces. */
bool nsguest_wanted(const struct cfg_node *node);

/* Forks its init, which goes on by itself. => the guest, not yet in the list, or NULL with `why`.
 */
struct nsguest *nsguest_start(struct keeper *k, const struct cfg_node *node, struct fault *why);
/* Waits until its init has made it, and takes the descriptors. => 0, or -errno with `why`. */
int nsguest_collect(
	struct keeper *k, struct nsguest *g, const struct cfg_node *node, struct fault *why);
/* Begins to end it: the kernel kills all in it. nsguest_free() reaps, so end many, then free them.
 */
void nsguest_kill(struct nsguest *g);
void nsguest_free(struct keeper *k, struct nsguest *g);

/* The list, sorted. => NULL: none of that name (any case). */
struct nsguest *nsguest_find(const struct keeper *k, const char *name);
void nsguest_insert(struct keeper *k, struct nsguest *g); /* the caller made room in k->guests */
void nsguest_take_out(struct keeper *k, struct nsguest *g);

/* Its init was reaped. => false when `pid` is not that of one of ours. */
bool nsguest_died(struct keeper *k, pid_t pid, int status);

/* Makes the devices that `to` has and `from` has not, not yet configured. => 0, or -errno with
 * `why`. */
int nsguest_add_ports(struct nsguest *g, const struct cfg_node *from, const struct cfg_node *to,
	struct fault *why);
/* Closes the devices that are not in `node`. */
void nsguest_drop_ports(struct nsguest *g, const struct cfg_node *node);
/* ns_change() in there. => 0, or -errno with `why`. */
int nsguest_change(struct nsguest *g, const struct cfg_node *from, const struct cfg_node *to,
	struct fault *why);
/* Starts the lines of `node` that do not run yet and terminates those that it does not have. */
void nsguest_run_programs(struct keeper *k, struct nsguest *g, const struct cfg_node *node);
/* What is so after the configuration has been made true; later reports are compared with it. */
void nsguest_expect(struct ns_port *port, const struct cfg_iface *iface);
/* Reads what the namespace reports. */
void nsguest_changes_seen(struct keeper *k, struct watcher *w, uint32_t events);
/* Tells the engine about interfaces and addresses that someone in there has changed since. */
void nsguest_tell_changes(struct keeper *k, struct nsguest *g);

/* "namespace", "control"; "running", "exited 1", "killed by 9". */
const char *nsguest_kind_text(const struct nsguest *g);
char *program_state_text(const struct program *p, char *buf, size_t size);

#endif
