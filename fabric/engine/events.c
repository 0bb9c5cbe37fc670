/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/events.h"

#include "filters/conntrack.h"
#include "filters/live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

enum { LINE = 512 };

struct follower *
follower_new(struct router_live *router, int wake_fd, bool expect)
{
	struct follower *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->router = router;
	f->wake_fd = wake_fd;
	f->expect = expect;
	f->text = malloc(EVENTS_BUFFER);
	if (f->text)
		return f;
	free(f);
	return NULL;
}

void
follower_free(struct follower *f)
{
	if (!f)
		return;
	free(f->text);
	free(f);
}

static void
append(struct follower *f, const char *line, size_t len)
{
	if (f->used + len > EVENTS_BUFFER) {
		f->lost++;
		return;
	}
	if (f->used == 0)
		eventfd_write(f->wake_fd, 1);
	memcpy(f->text + f->used, line, len);
	f->used += len;
}

/* Of the last tick of the kernel's clock, as jiffies: what was set a moment ago has all of its seconds left. */
static uint64_t
tick(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Takes from a line of -L what the kernel does not tell with an event: the references, and a mark of 0. => its length */
static size_t
as_event(char *line)
{
	static const char no_mark[] = " mark=0";
	char *use = strstr(line, " use="), *mark = strstr(line, no_mark);

	if (use)
		*use = '\0';
	if (mark)
		memmove(mark, mark + strlen(no_mark), strlen(mark + strlen(no_mark)) + 1);
	return strlen(line);
}

static const char *const names[] = {[CT_EVENT_NEW] = "[NEW]", [CT_EVENT_UPDATE] = "[UPDATE]", [CT_EVENT_DESTROY] = "[DESTROY]"};

static void
tell(struct followers *followers, bool expect, const char *line, size_t len)
{
	struct follower *f;

	LIST_FOREACH(f, followers, link)
		if (f->expect == expect)
			append(f, line, len + 1);
}

static void
hear(void *arg, enum ct_event e, const struct conn *c)
{
	char line[LINE];
	int n = snprintf(line, sizeof(line), "%s ", names[e]);
	size_t len;

	conntrack_print(c, tick(), line + n, sizeof(line) - (size_t)n);
	len = as_event(line);
	tell(arg, false, line, len);
}

static void
hear_expect(void *arg, enum ct_event e, const char *text)
{
	char line[CT_EXPECT_LINE + sizeof("[DESTROY] ")];

	tell(arg, true, line, (size_t)snprintf(line, sizeof(line), "%s %s", names[e], text));
}

void
follower_join(struct follower *f)
{
	struct filters_live *filters = f->router->filters;

	LIST_INSERT_HEAD(&filters->followers, f, link);
	conntrack_listen(filters->conntrack, hear, &filters->followers);
	conntrack_listen_expect(filters->conntrack, hear_expect, &filters->followers);
}

void
follower_leave(struct follower *f)
{
	if (!f->router)
		return;
	LIST_REMOVE(f, link);
	if (LIST_EMPTY(&f->router->filters->followers)) {
		conntrack_listen(f->router->filters->conntrack, NULL, NULL);
		conntrack_listen_expect(f->router->filters->conntrack, NULL, NULL);
	}
	f->router = NULL;
}

void
followers_end(struct router_live *router)
{
	struct follower *f;

	while ((f = LIST_FIRST(&router->filters->followers))) {
		follower_leave(f);
		eventfd_write(f->wake_fd, 1);
	}
}

size_t
follower_take(struct follower *f, char **spare, uint64_t *lost)
{
	char *text = f->text;
	size_t used = f->used;

	f->text = *spare;
	f->used = 0;
	*lost = f->lost;
	f->lost = 0;
	*spare = text;
	return used;
}
