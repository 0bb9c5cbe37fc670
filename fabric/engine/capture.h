/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Captures: copies of packets for a reader outside. A capture hangs on one interface or port. Workers append to its buffer under the
 * slow lock; the control thread takes the buffer away under the slow lock and sends it without. When the reader is too slow
 * the buffer is full, and packets are counted instead of copied: a capture never slows a flow beyond its copy.
 */
#ifndef FABRIC_ENGINE_CAPTURE_H
#define FABRIC_ENGINE_CAPTURE_H

#include "fabric/router/fabric.h"

#include <pcap/bpf.h>

enum { CAPTURE_BUFFER = 4 << 20, CAPTURE_SNAPLEN = 262144 };

struct capture_record {
	uint64_t when;    /* ns since 1970 */
	uint32_t len;     /* of the packet */
	uint32_t caplen;  /* bytes that follow */
	bool out;
};

struct capture;

/* A copy of `filter` is kept; n 0: every packet. `notify` is an eventfd. => NULL with errno (EINVAL: no valid filter). */
struct capture *capture_new(const struct bpf_insn *filter, unsigned n, uint32_t snaplen, int notify);
void capture_free(struct capture *c); /* not attached any more */

/* Under the slow lock. */
void capture_attach(struct capture *c, struct capture **list);
void capture_detach(struct capture *c);
/* The object is going: every capture of its list is detached and marked as ended. */
void capture_end_all(struct capture **list);
/* struct walker's `capture`. */
void capture_packet(struct walker *w, struct capture *first, const struct pkt *p, bool frame, bool out);

/*
 * Exchanges the full buffer for `*spare` (CAPTURE_BUFFER bytes). => bytes in *spare now: struct capture_record, data, each padded
 * to 8 bytes. *dropped: packets lost since the last call. *ended: nothing will come any more.
 */
size_t capture_take(struct capture *c, uint8_t **spare, uint64_t *dropped, bool *ended);

#endif
