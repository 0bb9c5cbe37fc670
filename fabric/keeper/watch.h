/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes that someone in a guest makes to its interfaces: what an rtnetlink socket of its
 * namespace reports.
 */
#ifndef FABRIC_KEEPER_WATCH_H
#define FABRIC_KEEPER_WATCH_H

#include "fabric/base/addr.h"

#include <stdbool.h>

/* Opens the socket in the namespace of the caller, non-blocking. => descriptor or -errno. */
int watch_open(void);

struct watch_event {
	enum { WATCH_LINK, WATCH_ADDRESS } kind;
	unsigned ifindex;
	bool up, carrier;       /* WATCH_LINK: administratively up; and with a carrier */
	bool present;           /* WATCH_ADDRESS: added; else removed */
	struct ip_prefix local; /* WATCH_ADDRESS */
};

typedef void watch_visit(const struct watch_event *event, void *arg);

/* Reads all there is. => 0, -ENOBUFS when reports were lost, -errno. */
int watch_read(int fd, watch_visit *visit, void *arg);

#endif
