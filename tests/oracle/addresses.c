/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/generate.h"

#include <arpa/inet.h>

const struct address addresses[ADDRESSES] = {
	{"10.0.0.2", 0}, {"10.0.0.5", 0}, {"10.0.0.77", 0}, {"10.0.8.9", 0}, {"10.0.15.200", 0},
	{"192.0.2.2", 1}, {"198.51.100.7", 1}, {"198.51.100.8", 1}, {"172.16.5.5", 1}, {"8.8.8.8", 1},
	{"10.1.0.2", 2}, {"10.1.7.7", 2}, {"203.0.113.9", 2},
	{"10.0.0.1", -1}, {"192.0.2.1", -1}, {"10.1.0.1", -1},
	{"10.66.1.1", -2}, {"10.67.1.1", -2}, {"10.68.1.1", -2}, {"200.1.2.3", -2},
};

uint32_t
address_value(unsigned i)
{
	return inet_addr(addresses[i].text);
}

int8_t
address_home(uint32_t a)
{
	unsigned i;

	for (i = 0; i < ADDRESSES; i++)
		if (address_value(i) == a)
			return addresses[i].home;
	return -2;
}
