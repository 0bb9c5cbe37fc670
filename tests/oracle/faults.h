/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Planted faults, to see that the oracle would find real ones. Nothing of the product changes: our side alone is given rules or packets that are a little
 * other than the kernel's, as if it understood one match, one target or one flag wrongly.
 */
#ifndef TESTS_ORACLE_FAULTS_H
#define TESTS_ORACLE_FAULTS_H

#include "tests/oracle/oracle.h"

unsigned fault_count(void);
const char *fault_name(unsigned i);
/* False: there is no way to see it here. */
bool fault_visible(unsigned i);
/* Plants one in this process; fault_count(): none. */
void fault_plant(unsigned i);
/* The text that our side gets, to free(). */
char *fault_rules(const char *text);
void fault_packet(struct frame *f);

#endif
