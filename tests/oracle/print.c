/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet as a line: never reads past its end, whatever it claims to be. */
#include "tests/oracle/generate.h"
#include "tests/oracle/world.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <string.h>

static void
add(char *buf, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#include <stdarg.h>

static void
add(char *buf, size_t size, const char *format, ...)
{
	size_t len = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + len, size - len, format, args);
	va_end(args);
}

static uint32_t
be(const uint8_t *b, unsigned n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *b++;
	return v;
}

static void
add_flags(char *buf, size_t size, uint8_t flags)
{
	static const char names[] = "FSRPAUEC";
	unsigned i;

	add(buf, size, " [");
	for (i = 0; i < 8; i++)
		if (flags & 1u << i)
			add(buf, size, "%c", names[i]);
	add(buf, size, "]");
}

static void
add_l4(char *buf, size_t size, uint8_t proto, const uint8_t *l4, size_t len)
{
	if (proto == IPPROTO_TCP && len >= 20) {
		add(buf, size, " tcp %u>%u", be(l4, 2), be(l4 + 2, 2));
		add_flags(buf, size, l4[13]);
		add(buf, size, " seq %u ack %u win %u doff %u", be(l4 + 4, 4), be(l4 + 8, 4), be(l4 + 14, 2), l4[12] >> 4);
	} else if (proto == IPPROTO_UDP && len >= 8) {
		add(buf, size, " udp %u>%u len %u", be(l4, 2), be(l4 + 2, 2), be(l4 + 4, 2));
	} else if (proto == IPPROTO_ICMP && len >= 8) {
		add(buf, size, " icmp %u/%u 0x%08x", l4[0], l4[1], be(l4 + 4, 4));
	} else {
		add(buf, size, " proto %u", proto);
	}
}

static void
add_ip(char *buf, size_t size, const uint8_t *data, size_t len, bool inner)
{
	struct iphdr ip;
	char src[16], dst[16];
	size_t head;

	if (len < sizeof(ip)) {
		add(buf, size, " %zu bytes", len);
		return;
	}
	memcpy(&ip, data, sizeof(ip));
	head = ip.ihl * 4u;
	inet_ntop(AF_INET, &ip.saddr, src, sizeof(src));
	inet_ntop(AF_INET, &ip.daddr, dst, sizeof(dst));
	add(buf, size, " %s > %s len %u/%zu ttl %u tos 0x%02x id %u", src, dst, ntohs(ip.tot_len), len, ip.ttl, ip.tos, ntohs(ip.id));
	if (ip.frag_off & htons(IP_DF))
		add(buf, size, " DF");
	if (ip.frag_off & htons(IP_MF | IP_OFFMASK))
		add(buf, size, " frag %u%s", (ntohs(ip.frag_off) & IP_OFFMASK) * 8, ip.frag_off & htons(IP_MF) ? "+" : "");
	if (ip.ihl != 5)
		add(buf, size, " ihl %u", ip.ihl);
	if (head < 20 || head > len)
		return;
	if (!(ip.frag_off & htons(IP_OFFMASK)))
		add_l4(buf, size, ip.protocol, data + head, len - head);
	if (!inner && ip.protocol == IPPROTO_ICMP && len >= head + 36 && (data[head] == 3 || data[head] == 11 || data[head] == 12 || data[head] == 4 || data[head] == 5)) {
		add(buf, size, " {");
		add_ip(buf, size, data + head + 8, len - head - 8, true);
		add(buf, size, " }");
	}
}

void
frame_print(const struct frame *f, char *buf, size_t size)
{
	buf[0] = 0;
	add(buf, size, "%s", world_ifaces[f->iface].name);
	if (f->iface == LAN)
		add(buf, size, " from %02x%s", f->from, (const char *const[]){"", " broadcast", " multicast", " to another"}[f->to]);
	add_ip(buf, size, f->data, f->len, false);
}
