/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Planted faults of address translation. The linker puts functions before those of nat/ and of the connection table (--wrap,
 * Makefile); each can do a little other than what it stands for.
 */
#ifndef TESTS_ORACLE_NAT_FAULTS_H
#define TESTS_ORACLE_NAT_FAULTS_H

#include "nat/nat.h"

enum nat_fault {
	NAT_FAULT_RANDOM, NAT_FAULT_PERSISTENT, NAT_FAULT_BASE, NAT_FAULT_BASE_BY_ONE, NAT_FAULT_FIRST_PORT, NAT_FAULT_LAST_PORT,
	NAT_FAULT_PORTS, NAT_FAULT_LAST_ADDRESS, NAT_FAULT_ADDRESSES, NAT_FAULT_MASQUERADE, NAT_FAULT_NO_NULL, NAT_FAULT_SOURCES,
	NAT_FAULT_TAKEN, NAT_FAULT_ZONES, NAT_FAULT_ONE_WAY, NAT_FAULT_PORT_KEPT, NAT_FAULT_ID_KEPT, NAT_FAULT_TCP_SUM, NAT_FAULT_UDP_SUM,
	NAT_FAULT_NO_SUM, NAT_FAULT_SCTP_SUM, NAT_FAULT_QUOTE, NAT_FAULT_QUOTE_SUM, NAT_FAULT_SHORT_QUOTE, NAT_FAULT_ERRORS,
	NAT_FAULT_ERROR_ADDRESS, NAT_FAULT_REPLY, NAT_FAULT_COUNT
};

const char *nat_fault_name(unsigned i);
/* NAT_FAULT_COUNT: none. */
void nat_fault_plant(unsigned i);
bool nat_fault_is(enum nat_fault f);
/* What a rule allows, misunderstood. */
void nat_fault_range(struct nat_range *range);

#endif
