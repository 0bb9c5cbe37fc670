/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lets packets pass unless a word is in their payload:
 *
 *	queue-example FABRIC ROUTER NUMBER WORD
 *
 * with a rule of the router such as "-A FORWARD -p tcp -j NFQUEUE --queue-num NUMBER".
 */
#include "rookery_queue.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What lies behind the headers of an IPv4 packet; everything behind the IP header of what is
 * neither TCP nor UDP. */
static const uint8_t *
payload(const struct rookery_packet *p, size_t *len)
{
	size_t at = p->data_len >= 20 ? (p->data[0] & 15) * 4u : p->data_len;

	if (at + 20 <= p->data_len && p->data[9] == IPPROTO_TCP)
		at += (p->data[at + 12] >> 4) * 4u;
	else if (at + 8 <= p->data_len && p->data[9] == IPPROTO_UDP)
		at += 8;
	if (at > p->data_len)
		at = p->data_len;
	*len = p->data_len - at;
	return p->data + at;
}

static bool
contains(const uint8_t *data, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (size_t at = 0; at + n <= len; at++) {
		if (memcmp(data + at, word, n) == 0)
			return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	struct rookery_packet p;
	struct rookery_queue *q;
	char why[256];
	int rc;

	if (argc != 5) {
		fprintf(stderr, "usage: %s FABRIC ROUTER NUMBER WORD\n", argv[0]);
		return 2;
	}
	q = rookery_queue_open(argv[1], argv[2], (uint16_t)atoi(argv[3]), why, sizeof(why));
	if (!q) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	while ((rc = rookery_queue_next(q, &p, -1)) > 0) {
		size_t len;
		const uint8_t *data = payload(&p, &len);
		bool found = contains(data, len, argv[4]);

		printf("%s %s -> %s, %zu bytes: %s\n", p.hook, p.in, p.out, p.len,
			found ? "drop" : "accept");
		fflush(stdout);
		rc = rookery_queue_verdict(q, p.id, found ? ROOKERY_DROP : ROOKERY_ACCEPT);
		if (rc < 0)
			break;
	}
	fprintf(stderr, "the engine: %s\n", strerror(-rc));
	rookery_queue_close(q);
	return 1;
}
