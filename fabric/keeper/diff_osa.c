/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/diff_say.h"

#include <string.h>

static const struct cfg_sharer *
sharer_of(const struct cfg_iface *i)
{
	static const struct cfg_sharer defaults;

	return i->sharer != NULL ? i->sharer : &defaults;
}

void
diff_sharer(struct diff *d, const struct cfg_iface *was, const struct cfg_iface *is)
{
	static const char *const protocols[OSA_PROTOCOLS] = {"", " for IPv6"};
	const struct cfg_sharer *a = sharer_of(was), *b = sharer_of(is);
	bool roles = memcmp(a->role, b->role, sizeof(a->role)) != 0;

	for (int p = 0; p < OSA_PROTOCOLS; p++)
		if (a->role[p] != b->role[p] && (p == OSA_IPV4 || b->role[p] != b->role[OSA_IPV4] || a->role[p] != a->role[OSA_IPV4]))
			diff_say(d, "change %s %s: %s is %s on %s%s", diff_node_word(d->to), d->to->name, is->name, osa_role_word(b->role[p]),
				is->target, protocols[p]);
	if (!roles && !config_sharer_equal(was, is))
		diff_say(d, "change %s %s: what %s registers with %s", diff_node_word(d->to), d->to->name, is->name, is->target);
}

void
diff_osas(struct diff *d, const struct config *from, const struct config *to)
{
	for (size_t i = 0; i < from->n_osas; i++)
		if (config_osa(to, from->osas[i].name) == NULL)
			diff_say(d, "remove osa %s", from->osas[i].name);
	for (size_t i = 0; i < to->n_osas; i++) {
		const struct cfg_osa *is = &to->osas[i], *was = config_osa(from, is->name);

		if (was == NULL)
			diff_say(d, "add osa %s", is->name);
		else if (was->side != is->side || strcmp(was->network, is->network) != 0)
			diff_say(d, "change osa %s: it is on %s", is->name, is->network);
		else if (was->mode != is->mode)
			diff_say(d, "change osa %s: its mode is %s", is->name, osa_mode_word(is->mode));
		else if (was->down != is->down)
			diff_say(d, "change osa %s: its network side is %s", is->name, is->down ? "down" : "up");
		else if (!config_osa_equal(was, is))
			diff_say(d, "change osa %s: its %s", is->name, was->n_table != is->n_table ? "table" : "settings");
	}
}
