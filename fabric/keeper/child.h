/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the children of the keeper have in common. */
#ifndef FABRIC_KEEPER_CHILD_H
#define FABRIC_KEEPER_CHILD_H

#include "fabric/keeper/fault.h"

#include <stddef.h>
#include <sys/types.h>

/* fork(2) with CLONE_ flags of clone(2) for new namespaces. => pid, 0 in the child, or -errno. */
pid_t child_fork(unsigned long flags);
/* Closes everything above standard error but `keep` (-1 entries do not count; at most 8). */
void child_close_others(const int *keep, size_t n);
/* Kills and reaps. => wait status */
int child_kill(pid_t pid);
/* Reaps within `timeout_ms`, then kills. => wait status */
int child_end(pid_t pid, int timeout_ms);
/* Writes the sentence for a namespace that the kernel did not make, `what` says which. => rc */
int fault_namespace(struct fault *why, int rc, const char *what);

#endif
