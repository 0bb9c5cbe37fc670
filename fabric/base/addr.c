/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct ip_prefix
prefix_network(const struct ip_prefix *p)
{
	struct ip_prefix n = *p;
	unsigned bits = ip_bits(&p->addr), len = p->len;

	for (unsigned i = 0; i < bits / 8; i++) {
		unsigned keep = len > i * 8 ? len - i * 8 : 0;

		if (keep < 8)
			n.addr.v6[i] &= (uint8_t)(0xff00u >> keep);
	}
	return n;
}

bool
prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_prefix host = {.addr = *a, .len = p->len};
	struct ip_prefix want, have;

	if (a->family != p->addr.family)
		return false;
	if (a->family == AF_INET)
		return ((p->addr.v4 ^ a->v4) & ip4_mask(p->len)) == 0;
	want = prefix_network(p);
	have = prefix_network(&host);
	return memcmp(want.addr.w, have.addr.w, 16) == 0;
}

bool
prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && ip_equal(&a->addr, &b->addr);
}

uint32_t
prefix4_broadcast(const struct ip_prefix *p)
{
	return p->len >= 31 ? p->addr.v4 : p->addr.v4 | ~ip4_mask(p->len);
}

int
ip_parse(const char *text, struct ip_addr *out)
{
	*out = (struct ip_addr){0};
	if (inet_pton(AF_INET, text, &out->v4) == 1)
		out->family = AF_INET;
	else if (inet_pton(AF_INET6, text, out->v6) == 1)
		out->family = AF_INET6;
	else
		return -EINVAL;
	return 0;
}

int
prefix_parse(const char *text, struct ip_prefix *out)
{
	char addr[ADDR_TEXT];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long len;
	char *end;

	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (ip_parse(addr, &out->addr) < 0)
		return -EINVAL;
	out->len = (uint8_t)ip_bits(&out->addr);
	if (!slash)
		return 0;
	if (slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	len = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || len > ip_bits(&out->addr))
		return -EINVAL;
	out->len = (uint8_t)len;
	return 0;
}

/* => 0..15, or -1. */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
mac_parse(const char *text, struct mac_addr *out)
{
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		out->b[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

char *
ip_text(const struct ip_addr *a, char *buf)
{
	if (a->family == AF_UNSPEC || !inet_ntop(a->family, a->v6, buf, ADDR_TEXT))
		memcpy(buf, "-", 2);
	return buf;
}

char *
prefix_text(const struct ip_prefix *p, char *buf)
{
	size_t n;

	ip_text(&p->addr, buf);
	n = strlen(buf);
	snprintf(buf + n, PREFIX_TEXT - n, "/%u", p->len);
	return buf;
}

char *
mac_text(const struct mac_addr *m, char *buf)
{
	snprintf(buf, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2], m->b[3],
		m->b[4], m->b[5]);
	return buf;
}
