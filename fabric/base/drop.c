/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/drop.h"

static const struct {
	const char *name, *text;
} drop_rows[DROP_COUNT] = {
#define ROW(id, name, text) [DROP_##id] = {name, text},
		DROPS(ROW)
#undef ROW
};

const char *
drop_name(enum drop_reason r)
{
	return drop_rows[r].name;
}

const char *
drop_text(enum drop_reason r)
{
	return drop_rows[r].text;
}
