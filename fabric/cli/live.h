/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of the running configuration, for commands: taken, changed by `change`, sent back whole; once more when others were faster. */
#ifndef FABRIC_CLI_LIVE_H
#define FABRIC_CLI_LIVE_H

#include "fabric/cli/cli.h"
#include "fabric/cli/edit.h"

/* => 0, or -errno with e->why. */
typedef int (*change_fn)(const struct cli *cl, struct edit *e);

/* => exit status */
int live(struct cli *cl, change_fn change);

#endif
