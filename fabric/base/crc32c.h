/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FABRIC_BASE_CRC32C_H
#define FABRIC_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (RFC 9260, appendix A) goes on over `len` bytes. It begins with ~0; what SCTP's header holds is the complement of the
 * end, little endian. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
