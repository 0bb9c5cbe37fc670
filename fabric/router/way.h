/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The slow way: what happens to a packet in a router, as one const table. way.c reads like the diagram of
 * docs/architecture.md.
 *
 * A hook is a list of stages in order of priority. router_walk() runs them one after the other: a plain loop, from router to
 * router too, never recursion. A packet that a stage has stolen (it waits for ARP, for its other fragments, for a program)
 * comes back through ORIGIN_RESUME and goes on behind that stage.
 */
#ifndef FABRIC_ROUTER_WAY_H
#define FABRIC_ROUTER_WAY_H

#include "fabric/router/fabric.h"

enum hook { HOOK_PREROUTING, HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING, HOOK_COUNT };

enum verdict {
	VERDICT_ACCEPT, /* go on with the next stage */
	VERDICT_REPEAT, /* run this stage again */
	VERDICT_GO,     /* go on with the first stage of p->hook, which the stage has set */
	VERDICT_STOLEN, /* the stage has taken the packet */
	VERDICT_DROP,   /* count `why` of the router and free it */
};

/* Netfilter's priorities (include/uapi/linux/netfilter_ipv4.h), and ours before and behind them. */
enum priority {
	PRIORITY_FIRST = -1000,
	PRIORITY_DEFRAG = -400,
	PRIORITY_RAW = -300,
	PRIORITY_CONNTRACK = -200,
	PRIORITY_MANGLE = -150,
	PRIORITY_NAT_DST = -100,
	PRIORITY_FILTER = 0,
	PRIORITY_SECURITY = 50,
	PRIORITY_NAT_SRC = 100,
	PRIORITY_HELPER = 300,
	PRIORITY_CONFIRM = 900,
	PRIORITY_LAST = 1000,
};

struct step {
	struct pkt *p;         /* a stage may replace it (reassembly) */
	enum drop_reason why;  /* with VERDICT_DROP */
	const struct iface *was_out; /* of OUTPUT: its rules see where the packet would have left before it was routed anew */
	bool moved;                  /* of PREROUTING: translation gave it another destination */
};

struct stage {
	const char *name;
	int priority;
	/* The most it may read: what a recorder may keep of a packet that met it. */
	enum reads reads;
	/* `p->router` is set, the packet parsed, its data at the IP header. */
	enum verdict (*run)(struct walker *w, struct step *s);
};

/* For each hook its stages, ended by a stage without name. The last one leads on to the next hook or out of the router. */
struct way {
	const struct stage *hooks[HOOK_COUNT];
};

extern const struct way router_way;

/* Takes a packet with p->router, p->hook and p->stage set through the stages until it has left, waits or is dropped. */
void router_walk(struct walker *w, const struct way *way, struct pkt *p);

/* Takes what arrives at interface p->in of p->router: a frame when p->l2_len is set, else an IP packet; not parsed. */
void router_receive(struct walker *w, struct pkt *p);
/* Takes an IP packet of the control namespace of `r`; not parsed. */
void router_control_input(struct walker *w, const struct router *r, struct pkt *p);
/* Takes a packet from the walker's queue and starts it at its origin. */
void router_start(struct walker *w, struct pkt *p);

/* Takes a packet with p->router, p->out and p->nexthop set, and sends it: the end of POSTROUTING. */
enum verdict egress(struct walker *w, struct step *s);
/* Takes a frame, complete with its Ethernet header, out of p->out. */
void egress_frame(struct walker *w, struct pkt *p);

/* The MAC address of a broadcast or multicast packet to `dst`. => false: it is neither. */
bool egress_group_mac(const struct pkt *p, uint32_t dst, struct mac_addr *mac);

/* Takes a packet whose neighbour has answered: p->out and p->dst_mac are set. */
void egress_resolved(struct walker *w, struct pkt *p);

/* Drops by name at a router, telling the probe that waits for it, if any. */
void router_drop(struct walker *w, struct pkt *p, enum drop_reason why);

#endif
