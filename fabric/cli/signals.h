/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ctrl-C as a wish, not an end: SIGINT, SIGTERM and SIGHUP are blocked and looked at where a command
 * waits, so that it can say what it has done and leave nothing behind.
 */
#ifndef FABRIC_CLI_SIGNALS_H
#define FABRIC_CLI_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* From now on these signals wait to be looked at. */
void signals_catch(void);
/* Back to what they were; for a child before exec. */
void signals_release(void);
/* True when one has come (it is taken). Waits at most this long. */
bool signals_sleep(double seconds);
/* A descriptor that becomes readable with the next one (to close()), or -errno. */
int signals_fd(void);

#endif
