/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stages that every router has, for the table in way.c. Each is a struct stage's `run`. */
#ifndef FABRIC_ROUTER_STAGES_H
#define FABRIC_ROUTER_STAGES_H

#include "fabric/router/way.h"
#include "filters/rules.h"

enum verdict route_input(struct walker *w, struct step *s);
enum verdict route_output(struct walker *w, struct step *s);
/* filter.c */
enum verdict filter_defragment(struct walker *w, struct step *s);
enum verdict filter_track(struct walker *w, struct step *s);
enum verdict filter_help(struct walker *w, struct step *s);
enum verdict filter_confirm(struct walker *w, struct step *s);
enum verdict filter_raw(struct walker *w, struct step *s);
enum verdict filter_mangle(struct walker *w, struct step *s);
enum verdict filter_filter(struct walker *w, struct step *s);
enum verdict filter_security(struct walker *w, struct step *s);
/* The nat table at the packet's hook. *queued: the packet is, or would have been, for a program. */
enum verdict filter_nat_table(struct walker *w, struct step *s, bool *queued);
/* A packet made here whose route was chosen before it was changed. */
enum verdict route_anew(struct walker *w, struct step *s);
/* nat.c */
enum verdict filter_nat(struct walker *w, struct step *s);
enum verdict input_reassemble(struct walker *w, struct step *s);
enum verdict input_deliver(struct walker *w, struct step *s);
enum verdict forward_ttl(struct walker *w, struct step *s);
enum verdict forward_mtu(struct walker *w, struct step *s);
enum verdict to_postrouting(struct walker *w, struct step *s);

/* Shows the packet to the captures of an interface; nobody can look at what takes a path. */
static inline void
tap(struct walker *w, const struct iface *i, const struct pkt *p, bool frame, bool out)
{
	if (!i->live->captures || !w->capture)
		return;
	record_refuse(p->recorder, "it is captured");
	w->capture(w, i->live->captures, p, frame, out);
}

static inline enum verdict
drop(struct step *s, enum drop_reason why)
{
	s->why = why;
	return VERDICT_DROP;
}

static inline enum verdict
go(struct pkt *p, enum hook hook)
{
	p->hook = (uint8_t)hook;
	return VERDICT_GO;
}

#endif
