/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internet checksums (RFC 1071) and their update by difference (RFC 1624, equation 3). Network byte order throughout. */
#ifndef FABRIC_BASE_CSUM_H
#define FABRIC_BASE_CSUM_H

#include <netinet/ip.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Sum of 16-bit words, not folded to a checksum yet. An odd last byte counts as if a zero followed. */
static inline uint64_t
csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *b = data;
	uint32_t w;
	uint16_t h;

	for (; len >= 4; len -= 4, b += 4) {
		memcpy(&w, b, 4);
		sum += w;
	}
	if (len >= 2) {
		memcpy(&h, b, 2);
		sum += h;
		b += 2;
		len -= 2;
	}
	if (len) {
		h = 0;
		memcpy(&h, b, 1);
		sum += h;
	}
	return sum;
}

static inline uint16_t
csum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The checksum field after a 16-bit word of what it covers went from `from` to `to`. */
static inline uint16_t
csum_replace2(uint16_t check, uint16_t from, uint16_t to)
{
	return (uint16_t)~csum_fold((uint64_t)(uint16_t)~check + (uint16_t)~from + to);
}

static inline uint16_t
csum_replace4(uint16_t check, uint32_t from, uint32_t to)
{
	return (uint16_t)~csum_fold(
			(uint64_t)(uint16_t)~check + (~from >> 16) + (~from & 0xffff) + (to >> 16) + (to & 0xffff));
}

static inline uint16_t
ip4_checksum(const struct iphdr *ip)
{
	return (uint16_t)~csum_fold(csum_add(0, ip, (size_t)ip->ihl * 4));
}

/* Sum of the IPv4 pseudo-header; `len` is the length of layer 4, host byte order. */
static inline uint64_t
csum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint16_t len)
{
	return (uint64_t)src + dst + htons(proto) + htons(len);
}

#endif
