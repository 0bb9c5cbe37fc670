/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One generation of the fabric, immutable: who is where. Slots are stable for as long as an object exists, so parts that did
 * not change are shared with the generation before, and refer to each other by slot, never by pointer.
 */
#ifndef FABRIC_ROUTER_FABRIC_H
#define FABRIC_ROUTER_FABRIC_H

#include "fabric/base/env.h"
#include "routing/router.h"

struct lan;
struct adapter;

struct fabric {
	uint64_t serial;
	struct router **routers; /* by slot; NULL where none */
	size_t n_routers;
	struct lan **lans;
	size_t n_lans;
	struct adapter **adapters; /* by slot; live objects, which outlast the generation */
	size_t n_adapters;
	struct attach *ports; /* where what comes from a port goes, by port slot from 1 */
	size_t n_ports;
};

/*
 * A walker takes packets through the fabric: one for each worker and one for the control thread. `env` comes first, so a
 * struct env * of the floors below is a walker here.
 */
struct walker {
	struct env env;
	const struct fabric *fabric; /* the published one; renewed whenever the slow-way lock is taken */
	/* Takes a packet or frame that leaves by a port. */
	void (*send)(struct walker *w, uint32_t port, struct pkt *p);
	/* An ICMP echo reply or error for router p->router: true when a probe of ours waited for it (p stays the caller's). */
	bool (*listen)(struct walker *w, const struct pkt *p);
	/* Hands a copy to a list of captures. `p` is borrowed; its data starts at the frame or the IP header as `frame` says. */
	void (*capture)(struct walker *w, struct capture *first, const struct pkt *p, bool frame, bool out);
	/* Tells a probe of ours that its packet `p` ends here. NULL: nobody probes. */
	void (*lost)(struct walker *w, const struct pkt *p, enum drop_reason why);
	uint64_t log_since; /* ns: log lines about packets are counted from here on */
	unsigned log_lines;
};

static inline struct walker *
walker_of(struct env *env)
{
	return (struct walker *)env;
}

#endif
