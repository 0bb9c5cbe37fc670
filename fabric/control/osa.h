/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of shared adapters, as configurations, commands and listings write them; the engine and the configuration share them. */
#ifndef FABRIC_CONTROL_OSA_H
#define FABRIC_CONTROL_OSA_H

#include <stdbool.h>
#include <stddef.h>

enum osa_mode {
	OSA_QDIO,      /* "qdio": the stacks keep the address table; with layer 3 the port does their ARP */
	OSA_OSE,       /* "ose" (also "lcs"): a static table, each stack does its own ARP, all with the port's MAC address */
	OSA_DEDICATED, /* "dedicated": one stack, everything is its own, no table */
};

/* What the card may hold (semantics.md of the source: Redbook 4.1.1, 4.4.3; LIM-5, LIM-13). */
enum osa_profile {
	OSA_PROFILE_NONE,    /* "unlimited" */
	OSA_PROFILE_OSA2,    /* "osa2": 16 addresses a port, 8 a stack */
	OSA_PROFILE_G5,      /* "g5": 512 addresses a port, 240 devices, 1 port a card */
	OSA_PROFILE_ZSERIES, /* "zseries": 2048 addresses a port, 240 devices, 2 ports a card */
	OSA_PROFILE_HIPERSOCKETS, /* "hipersockets": 4000 addresses; the port is a HiperSockets LAN's, with its connectors */
};

/* In the order of SETRTG's types, 0 to 5. */
enum osa_role {
	OSA_NO_ROUTER,
	OSA_PRIMARY_ROUTER,
	OSA_SECONDARY_ROUTER,
	OSA_MULTICAST_ROUTER,
	OSA_PRIMARY_CONNECTOR,
	OSA_SECONDARY_CONNECTOR,
};

enum osa_protocol { OSA_IPV4, OSA_IPV6, OSA_PROTOCOLS };

/* Which addresses of a stack are registered by themselves. */
enum osa_policy {
	OSA_OWN_ADDRESS, /* "own": those of this interface, as Linux qeth does */
	OSA_FULL_STACK,  /* "stack": every one of the node's, VIPAs and near ends of links too, as VM TCP/IP and z/OS do */
	OSA_NO_ADDRESS,  /* "none": only what is added by hand */
};

enum osa_isolation { OSA_SHARED, OSA_FORWARD, OSA_DROP }; /* "none", "forward" (reflective relay), "drop" */

/* Kinds of entries that a stack asks for. */
enum osa_entry {
	OSA_NORMAL, /* "address": counted; taken over from others if ipato covers it */
	OSA_VIPA,   /* "vipa": no gratuitous ARP */
	OSA_RXIP,   /* "rxip": proxy ARP, for someone behind the stack; always takes over */
};

struct osa_limits {
	unsigned addresses; /* of the port; 0: any number */
	unsigned per_stack; /* of one sharer; 0: any number */
	unsigned devices;   /* device entries: three a QDIO stack, two an OSE stack; 0: any number */
	unsigned ports;     /* of a card; 0: any number */
	unsigned lpars;     /* stacks that share a port; 0: any number */
};

const struct osa_limits *osa_profile_limits(enum osa_profile p);

/* Each => the word, and => 0 or -EINVAL for what is no such word. */
const char *osa_mode_word(enum osa_mode m);
int osa_mode_parse(const char *text, enum osa_mode *out);
const char *osa_profile_word(enum osa_profile p);
int osa_profile_parse(const char *text, enum osa_profile *out);
const char *osa_policy_word(enum osa_policy p);
int osa_policy_parse(const char *text, enum osa_policy *out);
const char *osa_isolation_word(enum osa_isolation i);
int osa_isolation_parse(const char *text, enum osa_isolation *out);
const char *osa_entry_word(enum osa_entry e);
int osa_entry_parse(const char *text, enum osa_entry *out);
/* sysfs words: no_router, primary_router, ... Read too: none, no, primary, secondary, multicast, "primary default entry" (PRI-9). */
const char *osa_role_word(enum osa_role r);
int osa_role_parse(const char *text, enum osa_role *out);
/* As sysfs reads back: "no", "primary router", ...; with echo filtering "multicast router+". Writes at most `size` bytes, => buf. */
char *osa_role_shown(enum osa_role r, bool echo_filter, char *buf, size_t size);

#endif
