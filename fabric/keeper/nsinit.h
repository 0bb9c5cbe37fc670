/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The init of a guest, and of a router's control namespace: process 1 of its PID namespace. See
 * nsinit.c.
 *
 * Between it and the keeper (wire.h; no answers, each side only tells):
 *   init:   {"op":"ports","ports":[[NAME,IFINDEX,OFFERED]...],"more":bool}
 *             with a descriptor a port; before those of the first message the netlink socket
 *             that reports changes in the namespace
 *           {"op":"failed","error":TEXT}         instead, when it could not be made
 *           {"op":"started","id":N,"pid":PID}    PID as seen in the guest
 *           {"op":"ended","id":N,"exit":CODE} or {"op":"ended","id":N,"signal":NUMBER}
 *   keeper: {"op":"run","id":N,"command":TEXT}, {"op":"terminate","id":N}
 */
#ifndef FABRIC_KEEPER_NSINIT_H
#define FABRIC_KEEPER_NSINIT_H

#include "fabric/control/config.h"

#include <sys/resource.h>

struct nsinit {
	const struct cfg_node *node;
	int socket;          /* to the keeper */
	const char *hosts;   /* path of the hosts file */
	int run_dir;         /* the run directory, open */
	struct rlimit files; /* of programs: what the keeper was started with */
};

/*
 * Runs in a child just forked into a PID namespace of its own; closes every descriptor but those it
 * was given and never returns. The other namespaces it makes itself, so that many are made side by
 * side.
 */
void nsinit_run(const struct nsinit *args) __attribute__((noreturn));

#endif
