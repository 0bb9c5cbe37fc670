/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the configuration says of one node, made true in the network namespace that the caller is
 * in: devices, addresses, routes, settings. A guest gets its interfaces as they are; a router with
 * a control namespace gets a mirror of its own, all of them TUN devices, and never forwards there.
 *
 * `sys` is the /proc/sys that shows this namespace and can be written: "/proc/sys" inside a guest,
 * "/proc/PID/root/proc/sys" for one who has only its network namespace.
 */
#ifndef FABRIC_KEEPER_NETNS_H
#define FABRIC_KEEPER_NETNS_H

#include "fabric/control/config.h"
#include "fabric/keeper/fault.h"
#include "fabric/keeper/rtnl.h"

#include <jansson.h>

struct ns_port {
	char name[IFACE_NAME];
	unsigned ifindex;
	int fd;
	bool offered;      /* the engine gets it; false: a dummy device, only held open */
	bool held;         /* the engine has it */
	bool down;         /* as last seen there, whoever did it */
	json_t *addresses; /* as last seen there, text; NULL until nsguest.c fills it in */
	bool moved;        /* someone in there changed `addresses` */
};

struct ns_ports {
	struct ns_port *v;
	size_t n;
};

/* Adds an entry, zeroed but fd -1. => it, valid until the next call, or NULL: out of memory. */
struct ns_port *ns_ports_add(struct ns_ports *p);
struct ns_port *ns_ports_find(const struct ns_ports *p, const char *name);
/* Removes the device and the entry. */
void ns_ports_remove(struct ns_ports *p, const char *name);
/* Closes every descriptor; the devices stay as long as their namespace. */
void ns_ports_fini(struct ns_ports *p);

/* True when `a` of node `an` and `b` of node `bn` can be one device. */
bool ns_same_device(const struct cfg_node *an, const struct cfg_iface *a, const struct cfg_node *bn,
	const struct cfg_iface *b);

/* Makes the device of `iface`, named `name`, and nothing more. => 0 with *out, or -errno with
 * `why`. */
int ns_port_make(const struct cfg_node *node, const struct cfg_iface *iface, const char *name,
	struct ns_port *out, struct fault *why);
/* Everything, in a fresh namespace. => 0, or -errno with `why`; `out` is to be freed in any case.
 */
int ns_build(const struct cfg_node *node, const char *sys, struct ns_ports *out, struct fault *why);
/*
 * Turns what `from` asked for into what `to` asks for. The devices of `to` are all there; those
 * that only `from` knows are left alone. Interfaces and routes that both have alike are not
 * touched. What is there already is no error, so that ns_change(to, from) undoes a ns_change(from,
 * to) that failed half way.
 */
int ns_change(
	const struct cfg_node *from, const struct cfg_node *to, const char *sys, struct fault *why);

/*
 * The two halves of a change of routes: what is gone before the interfaces change, what is new
 * after it.
 * => 0, or -errno with `why`. `from` may be NULL.
 */
int ns_routes_drop(
	struct rtnl *r, const struct cfg_node *from, const struct cfg_node *to, struct fault *why);
int ns_routes_put(
	struct rtnl *r, const struct cfg_node *from, const struct cfg_node *to, struct fault *why);
/* The address that packets leaving through `iface` carry: its sourcevipa, or AF_UNSPEC. */
struct ip_addr ns_source_vipa(const struct cfg_node *node, const struct cfg_iface *iface);
/* The address as rtnetlink takes it: with the peer of a point-to-point link. */
struct rtnl_address ns_address(
	const struct cfg_node *node, const struct cfg_iface *iface, size_t i, unsigned ifindex);

#endif
