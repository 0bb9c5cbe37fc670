/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A packet as the line that the kernel's log has of it (net/netfilter/nf_log_syslog.c of
 * Linux 6.18), for LOG and TRACE. */
#ifndef FILTERS_PACKET_LINE_H
#define FILTERS_PACKET_LINE_H

#include "filters/extension.h"

#include <linux/netfilter/nf_log.h>

enum {
	PACKET_LINE_SIZE = 1024, /* the longest line fits, with its NUL */
	/* what the kernel adds where nobody says: TRACE */
	PACKET_LINE_DEFAULT = NF_LOG_TCPSEQ | NF_LOG_TCPOPT | NF_LOG_IPOPT | NF_LOG_UID,
};

/*
 * Writes what follows the prefix, "IN=eth0 OUT= MAC=.. SRC=.. .. URGP=0 " with the blank at its
 * end, to `buf`, cut to `size` (at least 1), with NUL. `flags`: NF_LOG_* of
 * linux/netfilter/nf_log.h. NF_LOG_UID prints nothing: no packet has a socket here. => length
 * without the NUL.
 */
size_t packet_line_write(const struct filter_ctx *c, uint32_t flags, char *buf, size_t size);

/* As TRACE writes it. */
static inline size_t
packet_line(const struct filter_ctx *c, char *buf, size_t size)
{
	return packet_line_write(c, PACKET_LINE_DEFAULT, buf, size);
}

#endif
