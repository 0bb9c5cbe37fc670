/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration of a fabric as data: what a file says, checked and completed.
 *
 * Life: config_read() makes it from text and reports every error it finds with its place;
 * config_free() ends it. Nothing here is changed after config_read(), so any number of threads may
 * read it. config_print() writes text that config_read() takes back to an equal configuration.
 *
 * Names of nodes are user ids: 1 to 8 characters, compared without regard to case (IUCV-20), kept as
 * written. Routers and guests share one name space.
 */
#ifndef FABRIC_CONTROL_CONFIG_H
#define FABRIC_CONTROL_CONFIG_H

#include "fabric/base/addr.h"
#include "fabric/control/osa.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
	NODE_NAME = 9,    /* 1..8 characters of a user id, and the NUL */
	IFACE_NAME = 16,  /* 1..15 characters, as in Linux, and the NUL */
	OBJECT_NAME = 16, /* LANs, adapters, the fabric itself */
};

struct cfg_mark {
	uint32_t line, column; /* from 1; 0: not from a file */
};

enum cfg_iface_kind {
	CFG_IUCV,  /* point to point, `far` is the other end */
	CFG_CTC,   /* the same, of the other kind */
	CFG_OSA,   /* `target` names an adapter */
	CFG_LAN,   /* `target` names a LAN */
	CFG_DUMMY, /* holds VIPAs, is always up */
};

struct cfg_node;

/* An address for the table of a shared adapter, beyond those that its policy registers. */
struct cfg_oat_entry {
	struct cfg_mark at;
	struct ip_addr addr;
	enum osa_entry kind;
};

/* CFG_OSA: what a stack asks of its adapter. */
struct cfg_sharer {
	enum osa_role role[OSA_PROTOCOLS];
	enum osa_policy policy;
	bool links;       /* registers the far ends of the node's links, each while it is up */
	bool echo_filter; /* its own broadcasts do not come back */
	bool promiscuous; /* granted: gets a copy of every frame that arrives from the network, where its stack speaks Ethernet */
	enum osa_isolation isolation;
	struct cfg_oat_entry *entries;
	size_t n_entries;
	bool takeover, invert4, invert6; /* ipato */
	struct ip_prefix *takeover_list; /* of both families */
	size_t n_takeover_list;
	bool device_given;
	uint16_t device; /* the first number of its group of devices, even */
};

struct cfg_iface {
	struct cfg_mark at;
	char name[IFACE_NAME];
	enum cfg_iface_kind kind;
	char target[OBJECT_NAME]; /* CFG_OSA, CFG_LAN: its name; CFG_IUCV, CFG_CTC: the node of the far end */
	char far_name[IFACE_NAME]; /* CFG_IUCV, CFG_CTC: interface there if the file names one, else "" */
	struct ip_prefix *addresses; /* of either family; on a link usually /32 */
	size_t n_addresses; /* at most 1024 */
	struct ip_addr peer; /* of a link: address of the far end; AF_UNSPEC: it has none or several */
	uint32_t mtu;        /* bytes; the default of the kind is filled in */
	struct mac_addr mac; /* CFG_OSA, CFG_LAN: derived from node and name when the file says none */
	bool mac_given;
	bool up;              /* default true */
	uint8_t rp_filter;    /* 0 off, 1 strict, 2 loose, as in Linux; default 0 */
	bool log_martians;    /* default false */
	bool proxy_arp;       /* default false */
	bool hidden;          /* with the node's `hidden`: ARP for its addresses is answered on this interface alone; default false */
	char sourcevipa[IFACE_NAME]; /* dummy interface whose address outgoing packets take, or "" */
	struct cfg_sharer *sharer; /* CFG_OSA, once read; NULL: all defaults */

	/* completed by the check */
	struct cfg_node *node; /* owner */
	bool frames;           /* config_iface_frames() */
	struct cfg_iface *far; /* CFG_IUCV, CFG_CTC: the other end */
};

enum cfg_route_type { CFG_ROUTE_UNICAST, CFG_ROUTE_DISCARD, CFG_ROUTE_UNREACHABLE, CFG_ROUTE_PROHIBIT };

struct cfg_nexthop {
	struct cfg_mark at;
	struct ip_addr via;   /* AF_UNSPEC: on link */
	char dev[IFACE_NAME]; /* filled in by the check when the file leaves it out */
	uint16_t weight;      /* 1..256 */
};

struct cfg_route {
	struct cfg_mark at;
	struct ip_prefix to; /* 0.0.0.0/0 for "default"; host bits are clear */
	enum cfg_route_type type;
	struct cfg_nexthop *hops; /* one or more for CFG_ROUTE_UNICAST, else none */
	size_t n_hops;
	uint32_t metric;    /* smaller is better; default 0 */
	uint32_t table;     /* default 254, main */
	uint32_t mtu;       /* 0: that of the interface */
	struct ip_addr src; /* preferred source, or AF_UNSPEC */
};

/* A policy rule: which table a packet is looked up in. Lower priority first; 0 local, 32766 main. */
struct cfg_rule {
	struct cfg_mark at;
	uint32_t priority;
	struct ip_prefix from, to; /* AF_UNSPEC: any */
	char iif[IFACE_NAME];      /* "" any */
	uint32_t mark, mask;       /* mask 0: any */
	uint8_t tos;               /* 0: any */
	uint32_t table;
};

enum cfg_node_kind { CFG_ROUTER, CFG_GUEST_NETNS, CFG_GUEST_SIMULATED };

struct cfg_tunable {
	struct cfg_mark at;
	char *name; /* known to the tunables table (fabric/base/tunable.h) */
	int64_t value;
};

enum { CFG_HELPER_PORTS = 8 };

struct cfg_helper {
	struct cfg_mark at;
	char *name;     /* known to KNOWN_HELPERS (filters/known.h) */
	bool translate; /* default true */
	uint16_t ports[CFG_HELPER_PORTS]; /* default: the usual one */
	size_t n_ports;
};

/* Of a balanced service: where its connections go. */
struct cfg_worker {
	struct cfg_mark at;
	struct ip_addr address; /* IPv4 */
	uint16_t port;          /* that of the service when the file says none */
};

enum cfg_balance_method { CFG_BALANCE_HASH, CFG_BALANCE_LEAST };
enum cfg_balance_check { CFG_CHECK_NONE, CFG_CHECK_PING, CFG_CHECK_TCP };

/* New connections to an address and port are spread over workers. */
struct cfg_balance {
	struct cfg_mark at;
	struct ip_addr address; /* IPv4 */
	uint16_t port;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t method;   /* enum cfg_balance_method */
	struct cfg_worker *workers;
	size_t n_workers; /* 1..256 */
	struct {
		uint16_t kind;     /* enum cfg_balance_check */
		uint16_t port;     /* CFG_CHECK_TCP; 0: the worker's own */
		uint16_t interval; /* s */
		uint16_t fail, rise;
	} check;
};

struct cfg_node {
	struct cfg_mark at;
	char name[NODE_NAME];
	enum cfg_node_kind kind;
	bool forward; /* routers, and guests that are routers themselves; default false */
	bool control; /* routers: has a control namespace; default false */
	bool hidden;  /* conf.all.hidden: the interfaces' `hidden` count; default false */
	struct cfg_iface *ifaces;
	size_t n_ifaces;
	struct cfg_route *routes; /* as in the file; a guest with one link and none gets its default route */
	size_t n_routes;
	struct cfg_rule *rules; /* policy rules of a router */
	size_t n_rules;
	/*
	 * Filters of a router: a text with line ends is iptables-save's (ipset save's) own, one without names a file, from the directory
	 * of the configuration. NULL: none. What they say is read by `rookery` and travels beside the configuration (bundle.h).
	 */
	char *filter_rules, *filter_sets;
	struct cfg_mark filter_rules_at, filter_sets_at;
	struct ip_prefix *management; /* whose connections use the reserve of a full connection table */
	size_t n_management;
	struct cfg_helper *helpers; /* of a router */
	size_t n_helpers;
	bool hairpin; /* routers: inside guests reach inside servers by outside addresses; default false */
	bool nat_addresses_arp; /* routers: ARP is answered for addresses that the rules translate to */
	struct ip_prefix *nat_addresses; /* and for these; none when nat_addresses_arp */
	size_t n_nat_addresses;
	struct cfg_balance *balance; /* of a router */
	size_t n_balance;            /* at most 256 */
	struct cfg_tunable *tunables; /* of a router, above those of the fabric */
	size_t n_tunables;
	char **run; /* programs of a namespace guest, each a line for /bin/sh -c */
	size_t n_run;
	struct cfg_index *by_name; /* private: interfaces of a node that has many */
};

struct cfg_lan {
	struct cfg_mark at;
	char name[OBJECT_NAME];
	uint32_t mtu; /* bytes; default 1500 */
};

enum cfg_osa_side { CFG_OSA_NETWORK, CFG_OSA_DEVICE, CFG_OSA_DEVARGS };

/* A line of the static table of an OSE port. */
struct cfg_oat_static {
	struct cfg_mark at;
	struct ip_addr addr;
	char node[NODE_NAME]; /* who has it */
	char iface[IFACE_NAME]; /* "": its only one on this adapter; filled in by the check */
};

struct cfg_osa {
	struct cfg_mark at;
	char name[OBJECT_NAME];
	enum cfg_osa_side side;
	char *network; /* name of a LAN, of a network device of the host, or DPDK devargs */
	enum osa_mode mode;
	uint8_t layer;         /* of OSA_QDIO: 3 or 2; 0 counts as 3 */
	enum osa_profile profile;
	bool multicast_router; /* takes that role; default false */
	bool always_up;        /* sharers keep their carrier when the network side is down; default false */
	bool down;             /* the network side is unplugged by the configuration; default false */
	uint8_t secondaries;   /* routers of that role at most; 0 counts as 1 */
	struct mac_addr mac;   /* of the port; derived from its name when the file says none; all zero: the engine derives it */
	bool mac_given;
	struct cfg_oat_static *table; /* OSA_OSE */
	size_t n_table;
	bool table_file;     /* the table came from a file beside the configuration */
	const char *card;    /* a word of config_card.c, or NULL; then `profile` follows from it */
	const char *machine; /* likewise, with a card */
	const char *type;    /* network type, or NULL */
	char slot[OBJECT_NAME]; /* which card it is a port of; "": one of its own */
	uint8_t slot_port;
};

/* The stacks of this adapter see IP packets and no Ethernet: it does their ARP (QDIO, layer 3). */
static inline bool
cfg_osa_assists(const struct cfg_osa *o)
{
	return o->mode == OSA_QDIO && o->layer != 2;
}

struct config {
	char *origin; /* file name for messages */
	char fabric[OBJECT_NAME];
	struct cfg_node *nodes; /* routers first, then guests, each in the order of the file */
	size_t n_nodes, n_routers;
	struct cfg_lan *lans;
	size_t n_lans;
	struct cfg_osa *osas;
	size_t n_osas;
	struct cfg_tunable *tunables;
	size_t n_tunables;
	char **warnings; /* "FILE:LINE:COLUMN: warning: what": it is good, and probably not what is meant */
	size_t n_warnings;
	struct cfg_store *store; /* private: memory and name lookup */
};

/* Errors found, in the order of the file: "FILE:LINE:COLUMN: what, what was expected". */
struct cfg_errors {
	char **text;
	size_t n;     /* at most CFG_ERRORS_MAX are kept */
	size_t total; /* found */
};

enum { CFG_ERRORS_MAX = 50 };

/*
 * Reads and checks `len` bytes of YAML. `origin` is the name for messages.
 * => 0 and *out (to config_free()); -EINVAL with errs filled; -ENOMEM.
 * `errs` is initialised here and always to be given to cfg_errors_free().
 */
int config_read(const char *text, size_t len, const char *origin, struct config **out,
		struct cfg_errors *errs);
/* The same from a file. => also the -errno of opening or reading it, then errs holds one line. */
int config_load(const char *path, struct config **out, struct cfg_errors *errs);
void config_free(struct config *c);
void cfg_errors_free(struct cfg_errors *errs);

/* Writes canonical YAML. => 0 or -EIO. */
int config_print(const struct config *c, FILE *to);
/* The same as a string to free(), or NULL with errno. */
char *config_text(const struct config *c);

struct cfg_node *config_node(const struct config *c, const char *name); /* any case; NULL: none */
struct cfg_iface *config_iface(const struct cfg_node *n, const char *name);
struct cfg_lan *config_lan(const struct config *c, const char *name);
struct cfg_osa *config_osa(const struct config *c, const char *name);
/* The stack behind the interface speaks Ethernet by it: frames, ARP (a TAP for a guest); else IP packets (a TUN). */
bool config_iface_frames(const struct config *c, const struct cfg_iface *i);
/* The MAC address of an adapter's port: its own, or derived from the names of fabric and adapter. */
struct mac_addr config_osa_mac(const struct config *c, const struct cfg_osa *o);

/*
 * True when the engine would build the same node from both: every field but marks, programs and the
 * identity of pointers; the far end of a link counts by its names. What LANs, adapters and the
 * fabric's tunables are is not part of a node.
 */
bool config_node_equal(const struct cfg_node *a, const struct cfg_node *b);
/* The same of address translation's keys alone: hairpin, nat_addresses, balance. */
bool config_nat_equal(const struct cfg_node *a, const struct cfg_node *b);
/* True when the interfaces ask the same of their adapters; defaults for one that asks nothing, or is on none. */
bool config_sharer_equal(const struct cfg_iface *a, const struct cfg_iface *b);
bool config_osa_equal(const struct cfg_osa *a, const struct cfg_osa *b);

#endif
