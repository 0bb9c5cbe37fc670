/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Something that the keeper's loop waits for. */
#ifndef FABRIC_KEEPER_WATCHER_H
#define FABRIC_KEEPER_WATCHER_H

#include <stddef.h>
#include <stdint.h>

struct keeper;

struct watcher {
	int fd; /* -1: not watched */
	/* May free the structure that holds the watcher. */
	void (*ready)(struct keeper *k, struct watcher *w, uint32_t events);
};

/* The structure of which `w` is the member. */
#define watcher_owner(w, type, member) ((type *)((char *)(w)-offsetof(type, member)))

/* Starts and stops waiting; level-triggered EPOLL events. => 0 or -errno. */
int keeper_watch(struct keeper *k, struct watcher *w, uint32_t events);
void keeper_unwatch(struct keeper *k, struct watcher *w);

#endif
