/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree of a text: the reader of iptables-restore without a store, and without an end of the
 * process. */
#include "filters/iptables/restore.h"

#include <errno.h>
#include <stdio.h>

static int
text_run(struct restore *s, const char *text, size_t len)
{
	char line[RESTORE_LINE_MAX + 1];
	const char *end = text + len;

	for (const char *at = text, *stop; at < end; at = stop + 1) {
		size_t size;
		int err;

		stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop ? stop : end;
		size = (size_t)(stop - at);
		s->line++;
		if (size > RESTORE_LINE_MAX || memchr(at, '\0', size))
			restore_line_refuse(s);
		memcpy(line, at, size);
		line[size] = '\0';
		err = restore_line(s, line);
		if (err < 0)
			return err;
	}
	if (!s->in_table)
		return restore_load(s);
	s->line++;
	snprintf(s->why, sizeof(s->why), "COMMIT expected");
	return -EINVAL;
}

/* => 0 or -errno; what libxtables refuses comes back by a jump. */
static int
text_run_trapped(struct restore *s, const char *text, size_t len)
{
	struct xt_trap trap = {.why = s->why, .size = sizeof(s->why)};
	int err;

	xt_trap_set(&trap);
	if (setjmp(trap.where) == 0)
		err = text_run(s, text, len);
	else
		err = -EINVAL;
	xt_trap_set(NULL);
	return err;
}

struct rules *
iptables_read(const char *text, size_t len, const char *origin, char *why, size_t size)
{
	struct restore s = {.store = NULL};
	struct rules *r = NULL;
	int err;

	xt_start("iptables-restore", ipt_long_options);
	err = text_run_trapped(&s, text, len);
	if (err < 0) {
		snprintf(why, size, "%s:%u: %s", origin, s.line, restore_why(&s, err));
	} else {
		r = s.r;
		s.r = NULL;
		rules_keep_counts(r);
	}
	restore_fini(&s);
	return r;
}
