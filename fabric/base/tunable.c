/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/tunable.h"

#include <stddef.h>
#include <string.h>

static const struct tunable tunable_rows[TUNABLE_COUNT] = {
#define ROW(id, name, unit, fallback, min, max, text) [TUNE_##id] = {name, unit, fallback, min, max, text},
		TUNABLES(ROW)
#undef ROW
};

const struct tunable *
tunable_row(enum tunable_id id)
{
	return &tunable_rows[id];
}

const struct tunable *
tunable_find(const char *name, enum tunable_id *id)
{
	for (int i = 0; i < TUNABLE_COUNT; i++) {
		if (strcmp(tunable_rows[i].name, name) == 0) {
			if (id)
				*id = (enum tunable_id)i;
			return &tunable_rows[i];
		}
	}
	return NULL;
}

void
tunables_init(struct tunables *t)
{
	for (int i = 0; i < TUNABLE_COUNT; i++)
		t->value[i] = tunable_rows[i].fallback;
}
