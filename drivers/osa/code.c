/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drivers/osa/code.h"

#include <errno.h>
#include <stdio.h>

struct word {
	uint16_t code;
	int error;
	const char *text;
};

static const struct word codes[] = {
	{OSA_SUCCESS, 0, "success"},
	{OSA_NOT_REGISTERED, -ENOENT, "Address not registered"},
	{OSA_DUPLICATE_ADDRESS, -EADDRINUSE, "Address already registered"},
	{OSA_TABLE_FULL, -ENOSPC, "IP address table full"},
	{OSA_NO_STARTLAN, -ENETDOWN, "Setip no startlan received"},
	{OSA_ALREADY_RECEIVED, -EALREADY, "Setip already received"},
	{OSA_USED_ON_LAN, -EADDRINUSE, "IP address already in use on LAN"},
	{OSA_GROUP_NOT_FOUND, -ENOENT, "Multicast address not found"},
	{OSA_PRIMARY_DEFINED, -EBUSY, "Primary already defined"},
	{OSA_SECONDARY_DEFINED, -EBUSY, "Secondary already defined"},
	{OSA_INVALID_ROLE, -EINVAL, "Invalid SETRTG indicator"},
	{OSA_GROUP_DEFINED, -EEXIST, "Multicast address already defined"},
	{OSA_LAN_OFFLINE, -ENETDOWN, "STRTLAN_LAN_DISABLED - LAN offline"},
	{OSA_NO_MEMORY, -ENOMEM, "Memory problem"},
};

static const struct word access_codes[] = {
	{OSA_ACCESS_SUCCESS, 0, "success"},
	{OSA_ACCESS_NOT_SUPPORTED, -EOPNOTSUPP, "Adapter does not support QDIO data connection isolation"},
	{OSA_ACCESS_NOT_ISOLATED, 0, "QDIO data connection isolation is already deactivated"},
	{OSA_ACCESS_ISOLATED, 0, "QDIO data connection isolation is already activated"},
	{OSA_ACCESS_NOT_SHARED, -EOPNOTSUPP, "Adapter is dedicated. QDIO data connection isolation not supported"},
	{OSA_ACCESS_CHECKSUM_OFF, -EPERM, "TSO does not permit QDIO data connection isolation"},
	{OSA_ACCESS_NO_RELAY, -EOPNOTSUPP, "The adjacent switch port does not support reflective relay mode"},
	{OSA_ACCESS_RELAY_FAILED, -EFAULT, "The reflective relay mode cannot be enabled at the adjacent switch port"},
	{OSA_ACCESS_RELAY_STUCK, -EFAULT, "Turning off reflective relay mode at the adjacent switch failed"},
};

static const struct word *
find(const struct word *table, size_t n, uint16_t code)
{
	static const struct word unknown = {0xffff, -EIO, "Unknown Error"};

	for (size_t i = 0; i < n; i++) {
		if (table[i].code == code)
			return &table[i];
	}
	return &unknown;
}

const char *
osa_code_word(uint16_t code)
{
	return find(codes, sizeof(codes) / sizeof(codes[0]), code)->text;
}

const char *
osa_access_word(uint16_t code)
{
	return find(access_codes, sizeof(access_codes) / sizeof(access_codes[0]), code)->text;
}

int
osa_code_errno(uint16_t code)
{
	return find(codes, sizeof(codes) / sizeof(codes[0]), code)->error;
}

char *
osa_answer_text(const struct osa_answer *a, char *buf, size_t size)
{
	const char *before = a->code == OSA_TABLE_FULL ? ", no more than " : ", held by ";

	snprintf(buf, size, "%s (0x%04x)%s%s", osa_code_word(a->code), a->code, a->holder[0] ? before : "", a->holder);
	return buf;
}
