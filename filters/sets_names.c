/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/sets_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct row {
	const char *name;
	uint16_t number;
};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define ICMP(type, code) ((type) << 8 | (code))

static const struct row protos[] = {
	{"icmp", 1}, {"igmp", 2}, {"ggp", 3}, {"ipencap", 4}, {"st", 5}, {"tcp", 6}, {"egp", 8},
	{"igp", 9}, {"pup", 12}, {"udp", 17}, {"hmp", 20}, {"xns-idp", 22}, {"rdp", 27},
	{"iso-tp4", 29}, {"dccp", 33}, {"xtp", 36}, {"ddp", 37}, {"idpr-cmtp", 38}, {"ipv6", 41},
	{"ipv6-route", 43}, {"ipv6-frag", 44}, {"idrp", 45}, {"rsvp", 46}, {"gre", 47}, {"esp", 50},
	{"ah", 51}, {"skip", 57}, {"ipv6-icmp", 58}, {"ipv6-nonxt", 59}, {"ipv6-opts", 60},
	{"rspf", 73}, {"vmtp", 81}, {"eigrp", 88}, {"ospf", 89}, {"ax.25", 93}, {"ipip", 94},
	{"etherip", 97}, {"encap", 98}, {"pim", 103}, {"ipcomp", 108}, {"vrrp", 112}, {"l2tp", 115},
	{"isis", 124}, {"sctp", 132}, {"fc", 133}, {"mobility-header", 135}, {"udplite", 136},
	{"mpls-in-ip", 137}, {"manet", 138}, {"hip", 139}, {"shim6", 140}, {"wesp", 141},
	{"rohc", 142}, {"ethernet", 143},
};

static const struct row services[] = {
	{"echo", 7}, {"discard", 9}, {"systat", 11}, {"daytime", 13}, {"netstat", 15}, {"qotd", 17},
	{"chargen", 19}, {"ftp-data", 20}, {"ftp", 21}, {"ssh", 22}, {"telnet", 23}, {"smtp", 25},
	{"mail", 25}, {"time", 37}, {"whois", 43}, {"tacacs", 49}, {"domain", 53}, {"bootps", 67},
	{"bootpc", 68}, {"tftp", 69}, {"gopher", 70}, {"finger", 79}, {"http", 80}, {"www", 80},
	{"kerberos", 88}, {"pop3", 110}, {"pop-3", 110}, {"sunrpc", 111}, {"portmapper", 111},
	{"auth", 113}, {"nntp", 119}, {"ntp", 123}, {"netbios-ns", 137}, {"netbios-dgm", 138},
	{"netbios-ssn", 139}, {"imap2", 143}, {"imap", 143}, {"snmp", 161}, {"snmp-trap", 162},
	{"snmptrap", 162}, {"xdmcp", 177}, {"bgp", 179}, {"irc", 194}, {"ldap", 389}, {"https", 443},
	{"microsoft-ds", 445}, {"kpasswd", 464}, {"submissions", 465}, {"ssmtp", 465}, {"isakmp", 500},
	{"exec", 512}, {"login", 513}, {"shell", 514}, {"syslog", 514}, {"printer", 515},
	{"route", 520}, {"uucp", 540}, {"klogin", 543}, {"kshell", 544}, {"dhcpv6-client", 546},
	{"dhcpv6-server", 547}, {"rtsp", 554}, {"nntps", 563}, {"submission", 587}, {"ipp", 631},
	{"ldaps", 636}, {"tinc", 655}, {"silc", 706}, {"domain-s", 853}, {"rsync", 873},
	{"ftps-data", 989}, {"ftps", 990}, {"telnets", 992}, {"imaps", 993}, {"pop3s", 995},
	{"socks", 1080}, {"openvpn", 1194}, {"ms-sql-s", 1433}, {"ms-sql-m", 1434}, {"l2f", 1701},
	{"radius", 1812}, {"radius-acct", 1813}, {"nfs", 2049}, {"cvspserver", 2401}, {"mysql", 3306},
	{"rdp", 3389}, {"svn", 3690}, {"epmd", 4369}, {"sip", 5060}, {"sip-tls", 5061},
	{"xmpp-client", 5222}, {"xmpp-server", 5269}, {"mdns", 5353}, {"postgresql", 5432},
	{"amqp", 5672}, {"x11", 6000}, {"http-alt", 8080}, {"git", 9418},
};

/* Of several names for one type and code the first is printed. */
static const struct row icmps[] = {
	{"echo-reply", ICMP(0, 0)}, {"pong", ICMP(0, 0)},
	{"network-unreachable", ICMP(3, 0)}, {"host-unreachable", ICMP(3, 1)},
	{"protocol-unreachable", ICMP(3, 2)}, {"port-unreachable", ICMP(3, 3)},
	{"fragmentation-needed", ICMP(3, 4)}, {"source-route-failed", ICMP(3, 5)},
	{"network-unknown", ICMP(3, 6)}, {"host-unknown", ICMP(3, 7)},
	{"network-prohibited", ICMP(3, 9)}, {"host-prohibited", ICMP(3, 10)},
	{"TOS-network-unreachable", ICMP(3, 11)}, {"TOS-host-unreachable", ICMP(3, 12)},
	{"communication-prohibited", ICMP(3, 13)}, {"host-precedence-violation", ICMP(3, 14)},
	{"precedence-cutoff", ICMP(3, 15)}, {"source-quench", ICMP(4, 0)},
	{"network-redirect", ICMP(5, 0)}, {"host-redirect", ICMP(5, 1)},
	{"TOS-network-redirect", ICMP(5, 2)}, {"TOS-host-redirect", ICMP(5, 3)},
	{"echo-request", ICMP(8, 0)}, {"ping", ICMP(8, 0)}, {"router-advertisement", ICMP(9, 0)},
	{"router-solicitation", ICMP(10, 0)}, {"ttl-zero-during-transit", ICMP(11, 0)},
	{"ttl-zero-during-reassembly", ICMP(11, 1)}, {"ip-header-bad", ICMP(12, 0)},
	{"required-option-missing", ICMP(12, 1)}, {"timestamp-request", ICMP(13, 0)},
	{"timestamp-reply", ICMP(14, 0)}, {"address-mask-request", ICMP(17, 0)},
	{"address-mask-reply", ICMP(18, 0)},
};

static int
row_find(const struct row *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(rows[i].name, name) == 0)
			return rows[i].number;
	return -1;
}

static const char *
row_name(const struct row *rows, size_t n, uint16_t number)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].number == number)
			return rows[i].name;
	return NULL;
}

/* Digits only, up to `max`. => -1: something else. Sets *end. */
static int
number_parse(const char *text, int max, const char **end)
{
	int n = 0;
	const char *p = text;

	while (*p >= '0' && *p <= '9' && n <= max)
		n = n * 10 + (*p++ - '0');
	*end = p;
	return p == text || n > max ? -1 : n;
}

int
set_proto_parse(const char *text)
{
	const char *end;
	int n = number_parse(text, UINT8_MAX, &end);

	if (n >= 0 && *end == '\0')
		return n;
	return row_find(protos, ROWS(protos), text);
}

const char *
set_proto_text(uint8_t proto, char *buf, size_t size)
{
	const char *name = row_name(protos, ROWS(protos), proto);

	if (name)
		return name;
	snprintf(buf, size, "%u", proto);
	return buf;
}

int
set_service_parse(const char *name)
{
	return row_find(services, ROWS(services), name);
}

int
set_icmp_parse(const char *text)
{
	const char *end;
	int code, type = number_parse(text, UINT8_MAX, &end);

	if (type >= 0 && *end == '/') {
		code = number_parse(end + 1, UINT8_MAX, &end);
		if (code >= 0 && *end == '\0')
			return ICMP(type, code);
	}
	return row_find(icmps, ROWS(icmps), text);
}

const char *
set_icmp_text(uint16_t type_code, char *buf, size_t size)
{
	const char *name = row_name(icmps, ROWS(icmps), type_code);

	if (name)
		return name;
	snprintf(buf, size, "%u/%u", type_code >> 8, type_code & 0xff);
	return buf;
}
