/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/capture.h"

#include "fabric/base/csum.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

struct capture {
	struct capture *next, **list; /* list NULL: not attached */
	struct bpf_insn *filter;
	uint32_t snaplen;
	uint8_t *buffer;
	size_t used;
	uint64_t dropped;
	int notify;
	bool ended;
};

/* The instructions that bpf_filter() has; any other one makes it abort. */
static bool
is_instruction(uint16_t code)
{
	switch (code & ~BPF_X) {
	case BPF_ALU | BPF_ADD: case BPF_ALU | BPF_SUB: case BPF_ALU | BPF_MUL: case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_MOD: case BPF_ALU | BPF_AND: case BPF_ALU | BPF_OR: case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH: case BPF_ALU | BPF_RSH:
	case BPF_JMP | BPF_JEQ: case BPF_JMP | BPF_JGT: case BPF_JMP | BPF_JGE: case BPF_JMP | BPF_JSET:
		return true;
	}
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS: case BPF_LD | BPF_H | BPF_ABS: case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND: case BPF_LD | BPF_H | BPF_IND: case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_IMM: case BPF_LD | BPF_MEM: case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_IMM: case BPF_LDX | BPF_MEM: case BPF_LDX | BPF_W | BPF_LEN: case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_ST: case BPF_STX: case BPF_ALU | BPF_NEG: case BPF_JMP | BPF_JA:
	case BPF_RET | BPF_K: case BPF_RET | BPF_A: case BPF_MISC | BPF_TAX: case BPF_MISC | BPF_TXA:
		return true;
	}
	return false;
}

/*
 * A filter comes from outside. bpf_validate() of user space checks memory and where jumps lead, but lets pass what bpf_filter() does not
 * know, and jumps back, with which a filter may never end.
 */
static bool
is_valid(const struct bpf_insn *filter, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!is_instruction(filter[i].code) || (filter[i].code == (BPF_JMP | BPF_JA) && filter[i].k >= n - i - 1))
			return false;
	}
	return bpf_validate(filter, (int)n);
}

struct capture *
capture_new(const struct bpf_insn *filter, unsigned n, uint32_t snaplen, int notify)
{
	struct capture *c;

	if (n && !is_valid(filter, n)) {
		errno = EINVAL;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->snaplen = snaplen && snaplen < CAPTURE_SNAPLEN ? snaplen : CAPTURE_SNAPLEN;
	c->notify = notify;
	c->buffer = malloc(CAPTURE_BUFFER);
	c->filter = n ? malloc(n * sizeof(*filter)) : NULL;
	if (!c->buffer || (n && !c->filter)) {
		capture_free(c);
		errno = ENOMEM;
		return NULL;
	}
	if (n)
		memcpy(c->filter, filter, n * sizeof(*filter));
	return c;
}

void
capture_free(struct capture *c)
{
	if (!c)
		return;
	free(c->filter);
	free(c->buffer);
	free(c);
}

void
capture_attach(struct capture *c, struct capture **list)
{
	c->list = list;
	c->next = *list;
	*list = c;
}

void
capture_detach(struct capture *c)
{
	struct capture **at = c->list;

	if (!at)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->list = NULL;
}

void
capture_end_all(struct capture **list)
{
	struct capture *c;

	while ((c = *list)) {
		capture_detach(c);
		c->ended = true;
		eventfd_write(c->notify, 1);
	}
}

static uint64_t
wall_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What is left to the device to fill in is filled in, as far as the copy is whole and one packet. */
static void
complete_checksum(uint8_t *data, uint32_t len, const struct pkt *p, size_t l2)
{
	size_t start = l2 + p->csum_start, at = start + p->csum_offset;
	uint16_t sum;

	if (!(p->flags & PKT_CSUM_PARTIAL) || pkt_is_gso(p) || at + sizeof(sum) > len)
		return;
	sum = (uint16_t)~csum_fold(csum_add(0, data + start, len - start));
	memcpy(data + at, &sum, sizeof(sum));
}

/* => false: it does not fit. */
static bool
append(struct capture *c, const struct pkt *p, size_t l2, bool out)
{
	uint32_t len = pkt_len(p), caplen = len < CAPTURE_SNAPLEN ? len : CAPTURE_SNAPLEN;
	struct capture_record *r = (struct capture_record *)(c->buffer + c->used);
	uint8_t *data = (uint8_t *)(r + 1);
	const void *flat;

	if (c->used + sizeof(*r) + caplen + 8 > CAPTURE_BUFFER)
		return false;
	flat = rte_pktmbuf_read(pkt_mbuf(p), 0, caplen, data);
	if (flat != data)
		memcpy(data, flat, caplen);
	if (caplen == len)
		complete_checksum(data, len, p, l2);
	if (c->filter && !bpf_filter(c->filter, data, len, caplen))
		return true;
	if (caplen > c->snaplen)
		caplen = c->snaplen;
	*r = (struct capture_record){.when = wall_clock(), .len = len, .caplen = caplen, .out = out};
	if (c->used == 0)
		eventfd_write(c->notify, 1);
	c->used += (sizeof(*r) + caplen + 7) & ~(size_t)7;
	return true;
}

void
capture_packet(struct walker *w, struct capture *first, const struct pkt *p, bool frame, bool out)
{
	(void)w;
	for (struct capture *c = first; c; c = c->next) {
		if (!append(c, p, frame ? sizeof(struct ether_header) : 0, out))
			c->dropped++;
	}
}

size_t
capture_take(struct capture *c, uint8_t **spare, uint64_t *dropped, bool *ended)
{
	uint8_t *full = c->buffer;
	size_t used = c->used;

	c->buffer = *spare;
	*spare = full;
	*dropped = c->dropped;
	*ended = c->ended;
	c->used = 0;
	c->dropped = 0;
	return used;
}
