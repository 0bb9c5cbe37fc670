/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own libxtables extensions "set" and "SET": they name sets by name (filters/set_options.h),
 * where the stock ones ask a kernel for numbers. */
#ifndef FILTERS_IPTABLES_SET_H
#define FILTERS_IPTABLES_SET_H

/* Once in a process, before any look-up. */
void set_extensions_register(void);

#endif
