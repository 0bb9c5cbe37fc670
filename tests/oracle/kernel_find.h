/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection of the kernel, asked for by a tuple. */
#ifndef TESTS_ORACLE_KERNEL_FIND_H
#define TESTS_ORACLE_KERNEL_FIND_H

#include "filters/conntrack.h"

/* The confirmed connection that packets with tuple `t` belong to, in the zone of `c`, and both its tuples. => false: none. */
bool kernel_find(const struct ct_tuple *t, const struct conn *c, struct ct_tuple found[2]);
/* Both tuples of a connection that began with `t` lately, even if it has ended since: a reset kills at once. => false: none. */
bool kernel_began(const struct ct_tuple *t, struct ct_tuple found[2]);
/* To be called in the namespace, before packets. */
bool kernel_listen(void);

#endif
