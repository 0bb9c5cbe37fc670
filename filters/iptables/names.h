/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names as libxtables and its extensions see them. names.c defines getservbyname(), getservbyport()
 * and getaddrinfo(), which libxtables then calls instead of libc's: the services that rulesets are
 * written with mean the same on every machine, whatever its /etc/services says.
 * xtables_ipaddr_to_anyname() is replaced too: no name server holds a listing up.
 */
#ifndef FILTERS_IPTABLES_NAMES_H
#define FILTERS_IPTABLES_NAMES_H

/* A listing begins: it may spend this long on names of addresses, all in all; past that they are
 * shown as numbers. */
enum { NAMES_PATIENCE_MS = 1500 };
void names_begin(void);

#endif
