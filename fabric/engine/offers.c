/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int
offers_add(struct offers *o, const char *name, int fd)
{
	if (o->n == o->size) {
		size_t size = o->size ? o->size * 2 : 64;
		struct offer *list = realloc(o->list, size * sizeof(*list));

		if (!list) {
			close(fd);
			return -ENOMEM;
		}
		o->list = list;
		o->size = size;
	}
	snprintf(o->list[o->n].name, sizeof(o->list[o->n].name), "%s", name);
	o->list[o->n++].fd = fd;
	return 0;
}

int
offers_take(struct offers *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++) {
		struct offer *f = &o->list[i];
		int fd = f->fd;

		if (fd >= 0 && strcasecmp(f->name, name) == 0) {
			f->fd = -1;
			return fd;
		}
	}
	return -1;
}

void
offers_clear(struct offers *o)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->list[i].fd >= 0)
			close(o->list[i].fd);
	}
	free(o->list);
	*o = (struct offers){0};
}
