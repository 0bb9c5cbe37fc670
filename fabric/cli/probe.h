/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes from a router: the parts of ping and traceroute that print. */
#ifndef FABRIC_CLI_PROBE_H
#define FABRIC_CLI_PROBE_H

#include <jansson.h>
#include <stdio.h>

struct ping_stats {
	unsigned sent, received, errors;
	double min, max, sum, squares; /* ms */
};

/* Takes one answer of the engine into account and prints its line. */
void ping_reply(struct ping_stats *s, const json_t *reply, unsigned seq, const char *dest, FILE *to);
/* The closing lines, as iputils prints them. `elapsed` in ms. */
void ping_summary(const struct ping_stats *s, const char *dest, double elapsed, FILE *to);
/* One answer of a hop, " !H" and the like included; `from` is the address printed last in this line. */
void traceroute_annotate(const json_t *reply, FILE *to);

#endif
