/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FILTERS_IPTABLES_HELP_H
#define FILTERS_IPTABLES_HELP_H

/* What -h prints, without that of matches and targets. */
void help_print(const char *program);

#endif
