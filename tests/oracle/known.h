/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each difference that stays (tests/oracle/differences.h), shown by a small ruleset and packets of its own. */
#ifndef TESTS_ORACLE_KNOWN_H
#define TESTS_ORACLE_KNOWN_H

#include "tests/oracle/compare.h"

/* Both sides are open. One line each on stdout. => false: one is not, or no more, as it is listed. */
bool known_run(void);

#endif
