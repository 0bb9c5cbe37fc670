/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements as people write them: addresses, networks and ranges, ports with their protocol, interfaces. */
#include "filters/sets_names.h"
#include "filters/sets_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN_TEXT = 128 };

int
set_complain(struct set_complaint *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->text, c->size, format, args);
	va_end(args);
	return -EINVAL;
}

int
set_number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *n, struct set_complaint *c)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (end == text || *end != '\0' || strpbrk(text, " \t"))
		return set_complain(c, "Syntax error: '%s' is invalid as number", text);
	if (errno == ERANGE || value < min || value > max || strchr(text, '-'))
		return set_complain(c, "Syntax error: '%s' is out of range %llu-%llu", text,
			(unsigned long long)min, (unsigned long long)max);
	*n = value;
	return 0;
}

/* As inet_aton: fewer than four parts are an address too. Names are not looked up. */
static int
address_parse(const char *text, uint32_t *ip, struct set_complaint *c)
{
	struct in_addr a;

	if (!inet_aton(text, &a) || strpbrk(text, " \t"))
		return set_complain(
			c, "Syntax error: cannot parse %s: resolving to IPv4 address failed", text);
	*ip = ntohl(a.s_addr);
	return 0;
}

/* ADDRESS, ADDRESS/LENGTH, FROM-TO. `text` is written to. */
static int
addresses_parse(char *text, struct set_span *s, struct set_complaint *c)
{
	char *slash = strchr(text, '/'), *dash = strchr(text, '-');
	uint64_t n = 32;

	s->cidr = 32;
	if (slash && slash[1] != '\0') {
		*slash = '\0';
		if (set_number_parse(slash + 1, 0, 32, &n, c) < 0)
			return -EINVAL;
		s->cidr = (uint8_t)n;
		s->has_cidr = true;
	} else if (dash && dash[1] != '\0') {
		*dash = '\0';
		if (address_parse(dash + 1, &s->ip_to, c) < 0)
			return -EINVAL;
		s->has_ip_to = true;
	}
	if (address_parse(text, &s->ip, c) < 0)
		return -EINVAL;
	if (!s->has_ip_to)
		s->ip_to = s->ip;
	return 0;
}

/* A number or a name; names with a dash stand in brackets. `text` is written to. */
static int
port_parse(char *text, const char *proto, uint32_t *port, struct set_complaint *c)
{
	size_t len = strlen(text);
	uint64_t n;
	int service;

	if (text[0] == '[' && text[len - 1] == ']') {
		text[len - 1] = '\0';
		text++;
	}
	service = set_service_parse(text);
	if (service >= 0)
		n = (uint64_t)service;
	else if (set_number_parse(text, 0, UINT16_MAX, &n, c) < 0)
		return set_complain(c, "Syntax error: cannot parse '%s' as a %s port", text, proto);
	*port = (uint32_t)n;
	return 0;
}

/* The dash of FROM-TO, not one in brackets; NULL: no range. */
static char *
range_dash(char *text)
{
	char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;

	return strchr(bracket ? bracket : text, '-');
}

/* PORT or FROM-TO. */
static int
ports_parse(char *text, const char *proto, struct set_span *s, struct set_complaint *c)
{
	char *dash = range_dash(text);

	if (dash)
		*dash = '\0';
	if (port_parse(text, proto, &s->port, c) < 0)
		return -EINVAL;
	s->port_to = s->port;
	return dash ? port_parse(dash + 1, proto, &s->port_to, c) : 0;
}

/* [PROTO:]PORT[-PORT], icmp:NAME, icmp:TYPE/CODE, PROTO:0. */
static int
proto_ports_parse(char *text, struct set_span *s, struct set_complaint *c)
{
	char *colon = strchr(text, ':'), buf[8];
	int n = IPPROTO_TCP;

	if (colon && colon[1] != '\0' && colon != text) {
		*colon = '\0';
		n = set_proto_parse(text);
		if (n < 0)
			return set_complain(c, "Syntax error: cannot parse '%s' as a protocol", text);
		text = colon + 1;
	}
	s->proto = (uint8_t)n;
	if (n == IPPROTO_ICMPV6)
		return set_complain(
			c, "Syntax error: Protocol ICMPv6 can be used with family inet6 only");
	if (n == IPPROTO_ICMP) {
		n = set_icmp_parse(text);
		if (n < 0)
			return set_complain(c, "Cannot parse %s as an ICMP type/code.", text);
		s->port = s->port_to = (uint32_t)n;
		return 0;
	}
	if (n == IPPROTO_TCP || n == IPPROTO_UDP || n == IPPROTO_SCTP || n == IPPROTO_UDPLITE)
		return ports_parse(text, set_proto_text((uint8_t)n, buf, sizeof(buf)), s, c);
	if (strcmp(text, "0") != 0)
		return set_complain(c,
			"Syntax error: Protocol %s can be used with pseudo port value 0 only.",
			set_proto_text((uint8_t)n, buf, sizeof(buf)));
	return 0;
}

static int
iface_parse(const char *text, struct set_span *s, struct set_complaint *c)
{
	if (strncmp(text, "physdev:", 8) == 0)
		return set_complain(c, "physdev is not supported: no interface here is a bridge port");
	if (strlen(text) >= IFNAMSIZ)
		return set_complain(c,
			"Syntax error: interface name '%s' is longer than %u characters", text,
			IFNAMSIZ - 1);
	strcpy(s->iface, text);
	return 0;
}

/* Splits at the comma. `second` NULL: one part only. */
static int
parts_split(const char *whole, char *text, char **second, enum set_type type, struct set_complaint *c)
{
	const char *name = set_kind(type)->name;
	char *comma = strchr(text, ',');

	if (set_kind(type)->dims == 1) {
		if (comma && comma[1] != '\0')
			return set_complain(c,
				"Syntax error: Elem separator in %s, but settype %s supports none.", whole,
				name);
		return 0;
	}
	if (!comma || comma == text || comma[1] == '\0')
		return set_complain(c, "Syntax error: Second element is missing from %s.", whole);
	if (strchr(comma + 1, ','))
		return set_complain(c,
			"Syntax error: Two elem separators in %s, but settype %s supports one.", whole,
			name);
	*comma = '\0';
	*second = comma + 1;
	return 0;
}

int
set_span_parse(const char *text, enum set_type type, struct set_span *s, struct set_complaint *c)
{
	char buf[SPAN_TEXT], *second = NULL;

	*s = (struct set_span){.cidr = 32};
	if (strlen(text) >= sizeof(buf))
		return set_complain(c, "Syntax error: element '%.40s...' is too long", text);
	strcpy(buf, text);
	if (parts_split(text, buf, &second, type, c) < 0)
		return -EINVAL;
	if (type == SET_BITMAP_PORT)
		return proto_ports_parse(buf, s, c);
	if (addresses_parse(buf, s, c) < 0)
		return -EINVAL;
	if (type == SET_HASH_IP_PORT)
		return proto_ports_parse(second, s, c);
	return type == SET_HASH_NET_IFACE ? iface_parse(second, s, c) : 0;
}
