/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a sharer of an adapter would register, by the configuration alone. */
#ifndef FABRIC_CONTROL_CONFIG_OSA_H
#define FABRIC_CONTROL_CONFIG_OSA_H

#include "fabric/control/config.h"

/* An address that a sharer asks its adapter's table to hold. */
struct cfg_registration {
	struct ip_addr addr;
	enum osa_entry kind;
	bool takeover; /* from whoever has it */
	bool own;      /* one of the interface itself */
};

/* True when ipato says that the address may be taken over from who has it. */
bool cfg_takes_over(const struct cfg_sharer *s, const struct ip_addr *a);
/*
 * Visits the addresses of the interface, with full stack all others of the node, then the entries made by hand; one that is several times on
 * a node may come twice. On a static table (OSE) an interface has what the table gives it; dedicated, nothing. Far ends that
 * the link hook registers are not among them.
 */
void cfg_registrations(const struct config *c, const struct cfg_iface *i,
	void (*visit)(void *arg, const struct cfg_registration *what), void *arg);

/*
 * One line of a table file, which it cuts: ADDRESS NODE [INTERFACE], and what stands behind # or begins with * or ; is for people.
 * => 1 with *out, 0: nothing in it, -EINVAL
 */
int cfg_table_line(char *line, struct cfg_oat_static *out);

#endif
