/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/packet_line.h"

#include "fabric/base/addr.h"

#include <netinet/in.h>
#include <stdio.h>
#include <time.h>

enum { ETHERTYPE_V4 = 0x0800, ETHERTYPE_ARPP = 0x0806, ETHERTYPE_V6 = 0x86dd };

/* The bytes not yet looked at. */
struct cursor {
	const uint8_t *at;
	size_t left;
};

struct ends {
	char src[ADDR_TEXT], dst[ADDR_TEXT];
	unsigned protocol;
	bool has_ports; /* the first fragment, with its transport header in reach */
	unsigned sport, dport;
};

static unsigned
u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void
address(uint16_t family, const uint8_t *bytes, char *text)
{
	struct ip_addr a = {.family = family};

	memcpy(a.v6, bytes, family == AF_INET ? 4 : 16);
	ip_text(&a, text);
}

static void
read_ports(struct cursor c, struct ends *e)
{
	e->has_ports = (e->protocol == IPPROTO_TCP || e->protocol == IPPROTO_UDP) && c.left >= 4;
	if (e->has_ports) {
		e->sport = u16(c.at);
		e->dport = u16(c.at + 2);
	}
}

static bool
read_ipv4(struct cursor c, struct ends *e)
{
	size_t header = c.left >= 20 ? (c.at[0] & 15u) * 4u : 0;

	if (header < 20)
		return false;
	address(AF_INET, c.at + 12, e->src);
	address(AF_INET, c.at + 16, e->dst);
	e->protocol = c.at[9];
	if (header <= c.left && (u16(c.at + 6) & 0x1fff) == 0)
		read_ports((struct cursor){c.at + header, c.left - header}, e);
	return true;
}

static bool
read_ipv6(struct cursor c, struct ends *e)
{
	if (c.left < 40)
		return false;
	address(AF_INET6, c.at + 8, e->src);
	address(AF_INET6, c.at + 24, e->dst);
	e->protocol = c.at[6];
	read_ports((struct cursor){c.at + 40, c.left - 40}, e);
	return true;
}

static const char *
protocol_name(unsigned protocol, char *number)
{
	switch (protocol) {
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMPV6:
		return "icmp6";
	default:
		snprintf(number, 16, "protocol %u", protocol);
		return number;
	}
}

static void
print_ip(const struct ends *e, unsigned version, size_t len, char *line, size_t size)
{
	char number[16];
	const char *name = protocol_name(e->protocol, number);

	if (e->has_ports)
		snprintf(line, size, "IP%s %s.%u > %s.%u: %s, length %zu", version == 6 ? "6" : "", e->src, e->sport,
				e->dst, e->dport, name, len);
	else
		snprintf(line, size, "IP%s %s > %s: %s, length %zu", version == 6 ? "6" : "", e->src, e->dst, name,
				len);
}

static void
print_arp(struct cursor c, size_t len, char *line, size_t size)
{
	char from[ADDR_TEXT], to[ADDR_TEXT];

	if (c.left < 28) {
		snprintf(line, size, "ARP, truncated, length %zu", len);
		return;
	}
	address(AF_INET, c.at + 14, from);
	address(AF_INET, c.at + 24, to);
	if (u16(c.at + 6) == 1)
		snprintf(line, size, "ARP, who-has %s tell %s, length %zu", to, from, len);
	else
		snprintf(line, size, "ARP, reply from %s, length %zu", from, len);
}

static void
print_packet(struct cursor c, size_t len, char *line, size_t size)
{
	unsigned version = c.left ? c.at[0] >> 4 : 0;
	struct ends e = {0};

	if ((version == 4 && read_ipv4(c, &e)) || (version == 6 && read_ipv6(c, &e)))
		print_ip(&e, version, len, line, size);
	else
		snprintf(line, size, "not IP, length %zu", len);
}

void
packet_line(const uint8_t *data, size_t caplen, size_t len, bool ethernet, int64_t ts_ns, char *line)
{
	time_t seconds = (time_t)(ts_ns / 1000000000);
	struct cursor c = {data, caplen};
	unsigned type = ethernet && caplen >= 14 ? u16(data + 12) : 0;
	struct tm tm;
	size_t used;

	localtime_r(&seconds, &tm);
	used = strftime(line, PACKET_LINE, "%H:%M:%S", &tm);
	used += (size_t)snprintf(line + used, PACKET_LINE - used, ".%06d ", (int)(ts_ns % 1000000000 / 1000));
	if (ethernet) {
		size_t skip = caplen < 14 ? caplen : 14;

		c = (struct cursor){data + skip, caplen - skip};
		len = len > 14 ? len - 14 : 0;
	}
	if (!ethernet || type == ETHERTYPE_V4 || type == ETHERTYPE_V6)
		print_packet(c, len, line + used, PACKET_LINE - used);
	else if (type == ETHERTYPE_ARPP)
		print_arp(c, len, line + used, PACKET_LINE - used);
	else
		snprintf(line + used, PACKET_LINE - used, "ethertype 0x%04x, length %zu", type, len);
}
