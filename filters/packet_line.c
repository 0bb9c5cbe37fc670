/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/packet_line.h"

#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdio.h>

enum {
	AH_HEADER = 12,
	ESP_HEADER = 8,
	SPI_OF_AH = 4,
	IP_CE = 0x8000,
	TOS_FIELD = 0x1e,
	PRECEDENCE_FIELD = 0xe0
};

struct line {
	const struct filter_ctx *c;
	uint32_t flags;
	char *buf;
	size_t size, len;
};

/* An IP header of the packet: its own, or that of the packet an ICMP error quotes. */
struct header {
	struct iphdr ip;
	uint32_t l4; /* where layer 4 begins, from the start of the packet */
	bool quoted;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *format, ...)
{
	size_t room = l->size - l->len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->buf + l->len, room, format, args);
	va_end(args);
	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

static bool
read_at(const struct line *l, uint32_t at, void *to, uint32_t len)
{
	const void *from = filter_bytes(l->c, at, len, to);

	if (from && from != to)
		memcpy(to, from, len);
	return from;
}

static void
add_hex(struct line *l, const uint8_t *b, size_t n, const char *between)
{
	for (size_t i = 0; i < n; i++)
		add(l, "%s%02x", i ? between : "", b[i]);
}

static void
add_ip(struct line *l, const char *name, uint32_t addr)
{
	const uint8_t *b = (const uint8_t *)&addr;

	add(l, "%s=%u.%u.%u.%u ", name, b[0], b[1], b[2], b[3]);
}

/* The options that a header is longer for. => false: they are not there. */
static bool
add_options(struct line *l, uint32_t at, uint32_t len)
{
	uint8_t options[40];

	if (!read_at(l, at, options, len))
		return false;
	add(l, "OPT (");
	for (uint32_t i = 0; i < len; i++)
		add(l, "%02X", options[i]);
	add(l, ") ");
	return true;
}

static void
add_incomplete(struct line *l, const struct header *h)
{
	add(l, "INCOMPLETE [%u bytes] ", pkt_len(l->c->p) - h->l4);
}

static bool
is_later_fragment(const struct header *h)
{
	return h->ip.frag_off & htons(IP_OFFMASK);
}

static void
add_tcp_flags(struct line *l, const uint8_t *tcp)
{
	static const char *const names[] = {"CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN"};

	add(l, "RES=0x%02x ", (tcp[12] & 0x0eu) << 2); /* the fourth reserved bit has become AE */
	if (tcp[12] & 1)
		add(l, "AE ");
	for (unsigned i = 0; i < 8; i++) {
		if (tcp[13] & 0x80 >> i)
			add(l, "%s ", names[i]);
	}
}

/* => false: nothing follows any more. */
static bool
add_tcp(struct line *l, const struct header *h)
{
	struct tcphdr tcp;

	add(l, "PROTO=TCP ");
	if (is_later_fragment(h))
		return true;
	if (!read_at(l, h->l4, &tcp, sizeof(tcp))) {
		add_incomplete(l, h);
		return false;
	}
	add(l, "SPT=%u DPT=%u ", ntohs(tcp.source), ntohs(tcp.dest));
	if (l->flags & NF_LOG_TCPSEQ)
		add(l, "SEQ=%u ACK=%u ", ntohl(tcp.seq), ntohl(tcp.ack_seq));
	add(l, "WINDOW=%u ", ntohs(tcp.window));
	add_tcp_flags(l, (const uint8_t *)&tcp);
	add(l, "URGP=%u ", ntohs(tcp.urg_ptr));
	if (l->flags & NF_LOG_TCPOPT && tcp.doff * 4u > sizeof(tcp) &&
		!add_options(
			l, h->l4 + (uint32_t)sizeof(tcp), tcp.doff * 4u - (uint32_t)sizeof(tcp))) {
		add(l, "OPT (TRUNCATED)");
		return false;
	}
	return true;
}

static bool
add_udp(struct line *l, const struct header *h)
{
	struct udphdr udp;

	add(l, "PROTO=%s ", h->ip.protocol == IPPROTO_UDP ? "UDP" : "UDPLITE");
	if (is_later_fragment(h))
		return true;
	if (!read_at(l, h->l4, &udp, sizeof(udp))) {
		add_incomplete(l, h);
		return false;
	}
	add(l, "SPT=%u DPT=%u LEN=%u ", ntohs(udp.source), ntohs(udp.dest), ntohs(udp.len));
	return true;
}

/* What must be there of an ICMP message of a type, from its first byte on. */
static const uint8_t icmp_shortest[NR_ICMP_TYPES + 1] = {
	[ICMP_ECHOREPLY] = 4,
	[ICMP_DEST_UNREACH] = 28,
	[ICMP_SOURCE_QUENCH] = 28,
	[ICMP_REDIRECT] = 28,
	[ICMP_ECHO] = 4,
	[ICMP_TIME_EXCEEDED] = 28,
	[ICMP_PARAMETERPROB] = 28,
	[ICMP_TIMESTAMP] = 20,
	[ICMP_TIMESTAMPREPLY] = 20,
	[ICMP_ADDRESS] = 12,
	[ICMP_ADDRESSREPLY] = 12,
};

static void add_packet(struct line *l, uint32_t at, bool quoted);

static void
add_icmp_body(struct line *l, const struct header *h, const struct icmphdr *icmp)
{
	switch (icmp->type) {
	case ICMP_ECHOREPLY:
	case ICMP_ECHO:
		add(l, "ID=%u SEQ=%u ", ntohs(icmp->un.echo.id), ntohs(icmp->un.echo.sequence));
		return;
	case ICMP_PARAMETERPROB:
		add(l, "PARAMETER=%u ", ntohl(icmp->un.gateway) >> 24);
		return;
	case ICMP_REDIRECT:
		add_ip(l, "GATEWAY", icmp->un.gateway);
		break;
	case ICMP_DEST_UNREACH:
	case ICMP_SOURCE_QUENCH:
	case ICMP_TIME_EXCEEDED:
		break;
	default:
		return;
	}
	if (!h->quoted) {
		add(l, "[");
		add_packet(l, h->l4 + (uint32_t)sizeof(*icmp), true);
		add(l, "] ");
	}
	if (icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED)
		add(l, "MTU=%u ", ntohs(icmp->un.frag.mtu));
}

static void
add_icmp(struct line *l, const struct header *h)
{
	struct icmphdr icmp;

	add(l, "PROTO=ICMP ");
	if (is_later_fragment(h))
		return;
	if (!read_at(l, h->l4, &icmp, sizeof(icmp))) {
		add_incomplete(l, h);
		return;
	}
	add(l, "TYPE=%u CODE=%u ", icmp.type, icmp.code);
	if (icmp.type <= NR_ICMP_TYPES && pkt_len(l->c->p) - h->l4 < icmp_shortest[icmp.type])
		add_incomplete(l, h);
	else
		add_icmp_body(l, h, &icmp);
}

/* Later fragments: ESP is named, AH is not. */
static void
add_ipsec(struct line *l, const struct header *h)
{
	bool ah = h->ip.protocol == IPPROTO_AH;
	uint8_t b[AH_HEADER];
	uint32_t spi;

	if (!ah || !is_later_fragment(h))
		add(l, "PROTO=%s ", ah ? "AH" : "ESP");
	if (is_later_fragment(h))
		return;
	if (!read_at(l, h->l4, b, ah ? AH_HEADER : ESP_HEADER)) {
		add_incomplete(l, h);
		return;
	}
	memcpy(&spi, b + (ah ? SPI_OF_AH : 0), sizeof(spi));
	add(l, "SPI=0x%x ", ntohl(spi));
}

/* => false: nothing follows any more. */
static bool
add_l4(struct line *l, const struct header *h)
{
	switch (h->ip.protocol) {
	case IPPROTO_TCP:
		return add_tcp(l, h);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return add_udp(l, h);
	case IPPROTO_ICMP:
		add_icmp(l, h);
		return true;
	case IPPROTO_AH:
	case IPPROTO_ESP:
		add_ipsec(l, h);
		return true;
	}
	add(l, "PROTO=%u ", h->ip.protocol);
	return true;
}

static void
add_ip_fields(struct line *l, const struct iphdr *ip)
{
	uint16_t frag = ntohs(ip->frag_off);

	add_ip(l, "SRC", ip->saddr);
	add_ip(l, "DST", ip->daddr);
	add(l, "LEN=%u TOS=0x%02X PREC=0x%02X TTL=%u ID=%u ", ntohs(ip->tot_len),
		ip->tos & TOS_FIELD, ip->tos & PRECEDENCE_FIELD, ip->ttl, ntohs(ip->id));
	if (frag & IP_CE)
		add(l, "CE ");
	if (frag & IP_DF)
		add(l, "DF ");
	if (frag & IP_MF)
		add(l, "MF ");
	if (frag & IP_OFFMASK)
		add(l, "FRAG:%u ", frag & IP_OFFMASK);
}

/* One level of recursion: a quotation within a quotation is not followed. */
static void
add_packet(struct line *l, uint32_t at, bool quoted)
{
	struct header h = {.quoted = quoted};

	if (!read_at(l, at, &h.ip, sizeof(h.ip))) {
		add(l, "TRUNCATED");
		return;
	}
	h.l4 = at + h.ip.ihl * 4u;
	add_ip_fields(l, &h.ip);
	if (l->flags & NF_LOG_IPOPT && h.ip.ihl > 5 &&
		!add_options(
			l, at + (uint32_t)sizeof(h.ip), h.ip.ihl * 4u - (uint32_t)sizeof(h.ip))) {
		add(l, "TRUNCATED");
		return;
	}
	if (add_l4(l, &h) && !quoted && l->c->p->mark)
		add(l, "MARK=0x%x ", l->c->p->mark);
}

/* The frame's header as the kernel has it: what came over a loopback interface has one of zeroes.
 * => false: none. */
static bool
frame_header(const struct filter_ctx *c, struct ether_header *h)
{
	if (c->in->kind == IFACE_LOOPBACK) {
		*h = (struct ether_header){.ether_type = htons(ETHERTYPE_IP)};
		return true;
	}
	if (!(c->p->flags & PKT_HAS_L2) || c->p->l2_len < sizeof(*h))
		return false;
	memcpy(h, (const uint8_t *)pkt_data(c->p) - c->p->l2_len, sizeof(*h));
	return true;
}

static bool
is_ethernet(const struct iface *i)
{
	return i->kind == IFACE_OSA || i->kind == IFACE_LAN || i->kind == IFACE_DUMMY;
}

/* The kernel goes by the device that the packet is at: in POSTROUTING that is the one it leaves by.
 */
static void
add_mac(struct line *l)
{
	const struct filter_ctx *c = l->c;
	const struct iface *at = c->hook == RULES_POSTROUTING && c->out ? c->out : c->in;
	struct ether_header h;
	bool there = frame_header(c, &h);

	if (l->flags & NF_LOG_MACDECODE && is_ethernet(at)) {
		if (!there)
			return;
		add(l, "MACSRC=");
		add_hex(l, h.ether_shost, sizeof(h.ether_shost), ":");
		add(l, " MACDST=");
		add_hex(l, h.ether_dhost, sizeof(h.ether_dhost), ":");
		add(l, " MACPROTO=%04x ", ntohs(h.ether_type));
		return;
	}
	add(l, "MAC=");
	if (there && (is_ethernet(at) || at->kind == IFACE_LOOPBACK))
		add_hex(l, (const uint8_t *)&h, sizeof(h), ":");
	add(l, " ");
}

size_t
packet_line_write(const struct filter_ctx *c, uint32_t flags, char *buf, size_t size)
{
	struct line l = {.c = c, .flags = flags, .buf = buf, .size = size};

	add(&l, "IN=%s OUT=%s ", c->in ? c->in->name : "", c->out ? c->out->name : "");
	if (c->in)
		add_mac(&l);
	if (c->p->family != AF_INET6)
		add_packet(&l, 0, false);
	return l.len;
}
