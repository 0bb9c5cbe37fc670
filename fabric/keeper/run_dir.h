/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run directory of a fabric (fabric/control/proto.h): taken at start, removed at the end. */
#ifndef FABRIC_KEEPER_RUN_DIR_H
#define FABRIC_KEEPER_RUN_DIR_H

#include "fabric/control/config.h"
#include "fabric/keeper/fault.h"

#include <stddef.h>

enum { RUN_PATH = 256 };

struct run_dir {
	char path[RUN_PATH]; /* RUN/NAME */
	char name[OBJECT_NAME];
	int root; /* RUN, open */
	int fd;   /* RUN/NAME, open and locked: whoever holds the lock is the fabric's keeper */
};

/*
 * Makes and locks the directory; what a keeper that died left in it is removed. `root` is RUN, NULL
 * for the user's own (run_root()). => 0; -EEXIST when a fabric of that name runs; -errno; all with
 * `why`.
 */
int run_dir_take(struct run_dir *d, const char *root, const char *fabric, struct fault *why);
/* Creates a file in it for writing, mode 0600. => descriptor, or -errno with `why`. */
int run_dir_create(const struct run_dir *d, const char *name, int flags, struct fault *why);
/* Writes `text` to an open file from its start, all or nothing as far as a full disk goes. */
int run_dir_write(int fd, const char *name, const char *text, size_t len, struct fault *why);
/* => listening socket (wire.h), or -errno with `why`. */
int run_dir_listen(const struct run_dir *d, const char *name, struct fault *why);
/* Removes `name` in `root` with all that is in it. For the sweeper. */
void run_dir_remove(int root, const char *name);
void run_dir_close(struct run_dir *d);

#endif
