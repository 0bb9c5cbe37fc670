/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drivers/osa/takeover.h"

bool
takeover_covers(const struct takeover *t, const struct ip_addr *addr)
{
	bool covered = false;

	if (!t->enabled)
		return false;
	for (size_t i = 0; i < t->n && !covered; i++)
		covered = t->list[i].addr.family == addr->family && prefix_contains(&t->list[i], addr);
	return covered != (addr->family == AF_INET6 ? t->invert6 : t->invert4);
}
