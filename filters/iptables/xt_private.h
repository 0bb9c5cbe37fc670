/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between xt.c, xt_rule.c and xt_show.c only. */
#ifndef FILTERS_IPTABLES_XT_PRIVATE_H
#define FILTERS_IPTABLES_XT_PRIVATE_H

#include "filters/iptables/xt.h"

/* What libxtables was given: the table of options grows with each extension of a rule. */
extern struct xtables_globals xt_globals;

/* ACCEPT, DROP, QUEUE, RETURN: no extension has to be looked for. */
bool xt_is_verdict(const char *name);

#endif
