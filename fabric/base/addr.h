/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of both families, prefixes, and MAC addresses.
 *
 * An address carries its family, so no function guesses. IPv4 sits in `v4`, network byte order; the
 * other twelve bytes are zero, so that two addresses of one family compare with memcmp. A link-local
 * IPv6 address is scoped: `scope` is the slot of its interface, and zero otherwise.
 */
#ifndef FABRIC_BASE_ADDR_H
#define FABRIC_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct ip_addr {
	union {
		uint32_t v4; /* network byte order */
		uint8_t v6[16];
		uint32_t w[4];
	};
	uint32_t scope;  /* interface slot of a link-local IPv6 address, else 0 */
	uint16_t family; /* AF_INET, AF_INET6, or AF_UNSPEC: no address */
	uint16_t pad;
};

struct ip_prefix {
	struct ip_addr addr; /* host bits may be set: 9.12.6.80/24 is an address and its network */
	uint8_t len;         /* 0..32 or 0..128 */
};

struct mac_addr {
	uint8_t b[6];
};

enum { ADDR_TEXT = 56, PREFIX_TEXT = 60, MAC_TEXT = 18 }; /* sizes of text buffers, with the NUL */

static inline struct ip_addr
ip4(uint32_t be)
{
	return (struct ip_addr){.w = {be}, .family = AF_INET};
}

static inline bool
ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && a->scope == b->scope && memcmp(a->w, b->w, 16) == 0;
}

static inline bool
ip_is_set(const struct ip_addr *a)
{
	return a->family != AF_UNSPEC;
}

/* Width of the family in bits: 32, 128, or 0 for AF_UNSPEC. */
static inline unsigned
ip_bits(const struct ip_addr *a)
{
	return a->family == AF_INET ? 32 : a->family == AF_INET6 ? 128 : 0;
}

/* The mask of an IPv4 prefix length (0..32), network byte order. */
static inline uint32_t
ip4_mask(unsigned len)
{
	return len == 0 ? 0 : htonl(0xffffffffu << (32 - len));
}

/* The same prefix with its host bits cleared. */
struct ip_prefix prefix_network(const struct ip_prefix *p);
/* True when `a` (same family) lies within `p`; host bits of `p` do not matter. */
bool prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);
bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
/* The IPv4 broadcast address of a prefix of length 0..30; for 31 and 32 the address itself. */
uint32_t prefix4_broadcast(const struct ip_prefix *p);

/* => 0, or -EINVAL when `text` is not exactly one address. IPv4 needs all four octets. */
int ip_parse(const char *text, struct ip_addr *out);
/* "9.12.6.0/24", "9.12.6.80" (host prefix), "default" is not known here. => 0 or -EINVAL. */
int prefix_parse(const char *text, struct ip_prefix *out);
int mac_parse(const char *text, struct mac_addr *out);
/* Each writes to `buf` (at least ADDR_TEXT, PREFIX_TEXT, MAC_TEXT bytes) and returns it. */
char *ip_text(const struct ip_addr *a, char *buf);
char *prefix_text(const struct ip_prefix *p, char *buf);
char *mac_text(const struct mac_addr *m, char *buf);

static inline bool
ip4_is_multicast(uint32_t be)
{
	return (be & htonl(0xf0000000)) == htonl(0xe0000000);
}

static inline bool
ip4_is_loopback(uint32_t be)
{
	return (be & htonl(0xff000000)) == htonl(0x7f000000);
}

static inline bool
ip4_is_zeronet(uint32_t be)
{
	return be == 0;
}

static inline bool
mac_is_multicast(const struct mac_addr *m)
{
	return m->b[0] & 1;
}

static inline bool
mac_equal(const struct mac_addr *a, const struct mac_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

#endif
