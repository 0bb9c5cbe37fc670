/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP address takeover (ipato): which of its normal addresses a sharer may take from others. VIPA and rxip entries are never asked about. */
#ifndef DRIVERS_OSA_TAKEOVER_H
#define DRIVERS_OSA_TAKEOVER_H

#include "fabric/base/addr.h"

struct takeover {
	bool enabled;
	bool invert4, invert6;  /* the prefixes of the family are those that are not taken */
	struct ip_prefix *list; /* of both families; the sharer's own copy */
	size_t n;
};

bool takeover_covers(const struct takeover *t, const struct ip_addr *addr);

#endif
