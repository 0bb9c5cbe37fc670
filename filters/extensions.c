/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/extensions.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct match_ops *const matches[] = {
		match_transport, match_ip, match_packet, match_payload, match_time, match_limit, match_hashlimit, match_recent, match_conn, match_connlimit, match_helper, match_set,
};

static const struct target_ops *const targets[] = {
		target_alter, target_tcpmss, target_ct, target_log, target_queue, target_reject, target_set, target_nat,
};

const struct match_ops *
match_find(const char *name, uint8_t revision)
{
	for (size_t i = 0; i < sizeof(matches) / sizeof(*matches); i++)
		for (const struct match_ops *m = matches[i]; m->name; m++)
			if (m->revision == revision && strcmp(m->name, name) == 0)
				return m;
	return NULL;
}

const struct target_ops *
target_find(const char *name, uint8_t revision)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
		for (const struct target_ops *t = targets[i]; t->name; t++)
			if (t->revision == revision && strcmp(t->name, name) == 0)
				return t;
	return NULL;
}

int
ext_refuse(const struct ext_check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->why, c->why_size, format, args);
	va_end(args);
	return -EINVAL;
}
