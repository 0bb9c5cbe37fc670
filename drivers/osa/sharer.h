/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sharer: the device by which one stack, a router's or a guest's, uses a port. It holds what its stack wants registered, whether
 * the port has it or not: while it is offline, additions and deletions wait and are replayed when it comes online. It lives as
 * long as the interface does, across generations. Under the slow-way lock.
 */
#ifndef DRIVERS_OSA_SHARER_H
#define DRIVERS_OSA_SHARER_H

#include "drivers/osa/code.h"
#include "drivers/osa/oat.h"
#include "drivers/osa/takeover.h"
#include "fabric/base/env.h"
#include "routing/iface.h"

struct adapter;

/* What is to be done with a wanted address when its sharer comes online. */
enum disposition { DISPOSITION_NONE, DISPOSITION_ADD, DISPOSITION_DELETE };

struct wanted {
	struct ip_addr addr;
	enum osa_entry kind;
	enum disposition disposition;
	unsigned refs;     /* of normal and rxip entries */
	uint16_t code;     /* the port's last answer, enum osa_code */
	bool registered;   /* the port has it in its table for this sharer */
	char holder[OSA_HOLDER]; /* with a code: who has it instead */
};

/* What a stack asks for by itself, not by hand: an entry of the policy, the configuration or the link hook. */
struct asked {
	struct ip_addr addr;
	enum osa_entry kind;
};

/* Where a guest's packets go on the LAN; a router says so itself. */
struct sharer_route {
	struct ip_prefix to;
	struct ip_addr via; /* AF_UNSPEC: on link */
};

/* An order of addresses, for sorting: family, then value. */
static inline int
ip_order(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family != b->family ? (int)a->family - (int)b->family : memcmp(a->w, b->w, sizeof(a->w));
}

struct sharer_settings {
	struct attach target; /* where its packets go: ATTACH_ROUTER or ATTACH_PORT */
	struct mac_addr mac;  /* layer 2: its own; else the port's */
	bool router;          /* its stack forwards: its sources are not checked */
	bool echo_filter, promiscuous;
	enum osa_isolation isolation; /* as granted */
	struct takeover takeover;
	struct ip_addr *own;  /* addresses of its stack, sorted by sharer_set(): what it may send from */
	size_t n_own;
	struct sharer_route *routes;
	size_t n_routes;
};

struct sharer {
	char name[OSA_HOLDER]; /* "zos/eth0" */
	struct adapter *adapter; /* NULL: on none */
	uint16_t slot;         /* in the adapter */
	bool active;           /* online: its stack has the interface up */
	enum osa_role role[OSA_PROTOCOLS]; /* as granted */
	struct sharer_settings set;
	struct wanted *wanted;
	size_t n_wanted, size_wanted;
	struct asked *asked;   /* of these by itself, sorted */
	size_t n_asked;
	bool seen_known;       /* a guest's namespace has said which addresses it has: */
	struct ip_addr *seen;
	size_t n_seen;
	struct ip_addr *groups; /* multicast addresses that it has registered */
	size_t n_groups;
};

/* => NULL with errno. */
struct sharer *sharer_new(const char *name);
/* It is on no adapter any more. */
void sharer_free(struct sharer *s);
/* Frees the lists. */
void sharer_settings_fini(struct sharer_settings *set);
/* Takes the settings with their lists. The isolation stays: adapter_isolate() changes it. => whether anything is different now. */
bool sharer_set(struct sharer *s, struct sharer_settings *set);

/*
 * What the stack asks for by itself is `list` from now on. In two steps, so that what moves from one sharer to another is free
 * when it is asked for: sharer_release() gives up what is not in the list, sharer_ask() takes the list and asks for the rest. Both
 * sort it.
 */
void sharer_release(struct sharer *s, struct env *env, struct asked *list, size_t n);
void sharer_ask(struct sharer *s, struct env *env, struct asked *list, size_t n);

/* For the port: another sharer has taken the address over, or (0xe00a) somebody on the LAN has it: then it is not wanted any more. */
void sharer_lost(struct sharer *s, const struct ip_addr *addr, const struct osa_answer *why);

/*
 * Wants an address registered. Online it is, at once, with at most three tries; offline it waits.
 * => 0: registered, counted once more, or waiting (answer->code 0xe080: the LAN is offline, the entry stands);
 * -EEXIST: the same VIPA or rxip entry is there; else the errno of answer->code, and the entry is gone; but with 0xe005 the entry
 * stays here, not registered (-EADDRINUSE). -EINVAL: no address that can be registered. `answer` may be NULL.
 */
int sharer_add(struct sharer *s, struct env *env, const struct ip_addr *addr, enum osa_entry kind, struct osa_answer *answer);
/* => 0, also when a reference is left; -ENOENT: there is no such entry of the kind. */
int sharer_del(struct sharer *s, struct env *env, const struct ip_addr *addr, enum osa_entry kind);
/* Goes online: replays what waited, in its order. Offline: in QDIO its registrations end, what it wants stays wanted. */
void sharer_online(struct sharer *s, struct env *env, bool online);
/* Asks again for what it wants and has not. */
void sharer_retry(struct sharer *s, struct env *env);
const struct wanted *sharer_wanted(const struct sharer *s, const struct ip_addr *addr, enum osa_entry kind);

/* SETIPM and DELIPM. A sharer without any gets all multicasts; with some, those, and 224.0.0.1, ff02::1. => 0 or -errno of the answer. */
int sharer_join(struct sharer *s, const struct ip_addr *group, struct osa_answer *answer);
int sharer_leave(struct sharer *s, const struct ip_addr *group, struct osa_answer *answer);
/* Multicasts to `group` are for it. */
bool sharer_hears(const struct sharer *s, const struct ip_addr *group);
/* An address of its stack. */
bool sharer_owns(const struct sharer *s, const struct ip_addr *addr);
/* The broadcast address of a network that its stack is on. */
bool sharer_is_broadcast(const struct sharer *s, const struct ip_addr *dst);
/* Whose neighbour its stack would ask for on the way to `dst`; `dst` itself where it has no route. */
struct ip_addr sharer_nexthop(const struct sharer *s, const struct ip_addr *dst);

#endif
