/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that a rule logs (-j NFLOG), in one file of the fabric: nflog.pcapng beside its log.
 * tcpdump, tshark and Wireshark read it.
 *
 * The file is pcapng (draft-ietf-opsawg-pcapng): each router, interface and group is an interface
 * of the file, named "ROUTER:INTERFACE" and described as "NFLOG group N"; a packet's comment is the
 * rule's prefix. Workers append to a buffer under the slow lock; the control thread takes the
 * buffer away and writes it without. At NFLOG_FILE_MAX bytes it stops, and says so once in the log.
 */
#ifndef FABRIC_ENGINE_NFLOG_H
#define FABRIC_ENGINE_NFLOG_H

#include "fabric/engine/engine.h"

enum { NFLOG_FILE_MAX = 64 << 20, NFLOG_BUFFER = 1 << 20 };

struct nflog;

/* The file in a run directory, made if need be, for appending; before privileges are given up. =>
 * descriptor or -errno. */
int nflog_open(const char *run_dir);
/* Takes `fd`, whose file may have something in it. `notify` is an eventfd: there is something to
 * flush. => NULL with errno. */
struct nflog *nflog_new(int fd, int notify);
/* Nobody logs any more. Writes what is left; may be NULL. */
void nflog_free(struct nflog *n);

/*
 * For env_ops.nflog, under the slow lock: the first `len` bytes of a parsed packet. What does not
 * fit in the buffer because the disk is too slow is counted and not written.
 */
void nflog_packet(
	struct nflog *n, const struct pkt *p, uint16_t group, const char *prefix, uint32_t len);
/* The control thread, when notified, without the lock. */
void nflog_flush(struct nflog *n, struct worker *control);
/* Under the slow lock: packets that did not fit in the buffer or the file. */
uint64_t nflog_lost(const struct nflog *n);

#endif
