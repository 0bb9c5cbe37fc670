/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a port answers to the commands of its sharers (SETIP, DELIP, SETRTG, SETIPM): the return codes of the adapter, their
 * words, and who stands in the way. Codes and words: Linux drivers/s390/net/qeth_core_mpc.h and .c.
 */
#ifndef DRIVERS_OSA_CODE_H
#define DRIVERS_OSA_CODE_H

#include <stddef.h>
#include <stdint.h>

enum osa_code {
	OSA_SUCCESS = 0x0000,
	OSA_NOT_REGISTERED = 0x0011,
	OSA_DUPLICATE_ADDRESS = 0xe005,
	OSA_TABLE_FULL = 0xe006,
	OSA_NO_STARTLAN = 0xe008,
	OSA_ALREADY_RECEIVED = 0xe009,
	OSA_USED_ON_LAN = 0xe00a,
	OSA_GROUP_NOT_FOUND = 0xe00b,
	OSA_PRIMARY_DEFINED = 0xe010,
	OSA_SECONDARY_DEFINED = 0xe011,
	OSA_INVALID_ROLE = 0xe012,
	OSA_GROUP_DEFINED = 0xe013,
	OSA_LAN_OFFLINE = 0xe080,
	OSA_NO_MEMORY = 0xfffe,
};

/* Answers to a change of isolation: numbers of their own (enum qeth_ipa_set_access_mode_rc). */
enum osa_access_code {
	OSA_ACCESS_SUCCESS = 0x00,
	OSA_ACCESS_NOT_SUPPORTED = 0x04,
	OSA_ACCESS_NOT_ISOLATED = 0x08,
	OSA_ACCESS_ISOLATED = 0x10,
	OSA_ACCESS_NOT_SHARED = 0x14,
	OSA_ACCESS_CHECKSUM_OFF = 0x18,
	OSA_ACCESS_NO_RELAY = 0x22,
	OSA_ACCESS_RELAY_FAILED = 0x24,
	OSA_ACCESS_RELAY_STUCK = 0x28,
};

enum { OSA_HOLDER = 40 };

struct osa_answer {
	uint16_t code;           /* enum osa_code */
	char holder[OSA_HOLDER]; /* who has it: "zos/eth0", a MAC address on the LAN; the limit of a full table; or "" */
};

/* "Primary already defined". A code that is not in the table: "Unknown Error". */
const char *osa_code_word(uint16_t code);
const char *osa_access_word(uint16_t code);
/* The errno that a command gives back for it: 0, -EADDRINUSE, -ENOSPC, -EBUSY, -ENETDOWN, -EINVAL, -ENOENT, ... */
int osa_code_errno(uint16_t code);
/* "Primary already defined (0xe010), held by zos/eth0". Writes at most `size` bytes, => buf. */
char *osa_answer_text(const struct osa_answer *a, char *buf, size_t size);

#endif
