/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_ORACLE_SUPER_H
#define TESTS_ORACLE_SUPER_H

#include <stdbool.h>

/* Each case through both sides, a line for each. => false: one differs. */
bool super_run(void);

#endif
