/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader of a configuration: its errors, its tables of keys, and where each object came from.
 * Private to fabric/control/config*.c.
 */
#ifndef FABRIC_CONTROL_CONFIG_READER_H
#define FABRIC_CONTROL_CONFIG_READER_H

#include "fabric/control/config_tree.h"

#include <stdarg.h>

struct cfg_store {
	struct cfg_arena arena; /* everything the configuration points to */
	struct cfg_index nodes; /* lower case name to struct cfg_node */
	struct cfg_index lans, osas;
};

/* An object's place in the text. `bad`: an error was found in it, so checks leave it alone. */
struct cfg_src {
	const struct cfg_yaml *map;
	struct cfg_iface *iface;
	struct cfg_src
		*next; /* ends of links between the same two nodes that wait for their other end */
	bool bad;
};

struct cfg_src_node {
	struct cfg_src *ifaces, *routes, *rules; /* in step with those of the node */
	bool bad_ifaces;                         /* at least one of them is bad */
	bool routes_given;
};

struct cfg_reader {
	const char *origin;
	struct config *c;
	struct cfg_arena *keep;   /* memory of the configuration */
	struct cfg_arena scratch; /* memory of the reading */
	struct cfg_errors *errs;
	struct cfg_mark place[CFG_ERRORS_MAX]; /* of each error kept */
	struct cfg_src_node *src;              /* in step with c->nodes */
	bool out_of_memory;                    /* an error could not be kept */
	bool files;                            /* origin is a file: others are found beside it */
	jmp_buf escape;
};

/* Keeps one error. Control characters in the message become '?'. */
void cfg_error(struct cfg_reader *r, struct cfg_mark at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Keeps one warning, which refuses nothing. */
void cfg_warn(struct cfg_reader *r, struct cfg_mark at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum { CFG_QUOTE = 72 };
/* A word of the file for a message: shortened, at a character's border, to fit buf. => buf */
const char *cfg_quote(const char *text, char buf[CFG_QUOTE]);

/*
 * ", did you mean 'NAME'?" for the nearest of n names, or "" when none is near (or so many errors
 * have been found already that the message will not be kept). `name(list, i)` gives the names. =>
 * buf
 */
enum { CFG_HINT = 96 };
const char *cfg_hint(const struct cfg_reader *r, const char *word,
	const char *(*name)(const void *, size_t), const void *list, size_t n, char buf[CFG_HINT]);

/* One key of a map: how its value is read into the object. */
struct cfg_key {
	const char *name;
	void (*read)(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v,
		void *object);
	size_t offset;    /* of the member that holds the value */
	int64_t min, max; /* numbers */
	const char *text; /* cfg_read_refused(): why */
};

/* A map whose keys are all in the table. An empty value leaves the object alone. => false: not a
 * map. */
bool cfg_read_map(struct cfg_reader *r, const struct cfg_yaml *map, const char *what,
	const struct cfg_key *keys, size_t n, void *object);
/* => true when v is of that kind; reports otherwise. */
bool cfg_expect(
	struct cfg_reader *r, const struct cfg_yaml *v, enum cfg_yaml_kind kind, const char *what);
/* => true with *out, or reports. Decimal or 0x. */
bool cfg_number(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, int64_t *out);
/* => true when v is a word; reports otherwise. */
bool cfg_word(struct cfg_reader *r, const char *what, const struct cfg_yaml *v);
bool cfg_address(
	struct cfg_reader *r, const char *what, const struct cfg_yaml *v, struct ip_addr *out);
/* A prefix without host bits; "default" when `any`. */
bool cfg_network(
	struct cfg_reader *r, const char *what, const struct cfg_yaml *v, struct ip_prefix *out);

/* Readers for tables: the member is bool, uint8_t, uint16_t, uint32_t, struct ip_addr, struct
 * ip_prefix, const yaml *. */
void cfg_read_bool(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);
void cfg_read_u8(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);
void cfg_read_u16(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);
void cfg_read_u32(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);
void cfg_read_address(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);
void cfg_read_network(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);
/* The name of an interface of the node, into char[IFACE_NAME]. */
void cfg_read_iface_name(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);
/* Keeps the value itself for later: the member is const struct cfg_yaml *. */
void cfg_read_later(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);
/* The key is known and not for this object: says why. */
void cfg_read_refused(
	struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object);

/* Names: 1..15 characters that Linux takes for an interface; 1..15 of [A-Za-z0-9._-]; user ids.
 * Report. */
bool cfg_iface_name(struct cfg_reader *r, const struct cfg_yaml *word, char out[IFACE_NAME]);
bool cfg_object_name(
	struct cfg_reader *r, const char *what, const struct cfg_yaml *word, char out[OBJECT_NAME]);
bool cfg_user_id(struct cfg_reader *r, const struct cfg_yaml *word, char out[NODE_NAME]);

void cfg_read_mac(struct cfg_reader *r, const struct cfg_yaml *v, struct mac_addr *out);

#define CFG_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* The parts of the reading, in their order. */
void cfg_read_fabric(struct cfg_reader *r, const struct cfg_yaml *root);
void cfg_read_ifaces(struct cfg_reader *r, struct cfg_node *n, struct cfg_src_node *s,
	const struct cfg_yaml *map);
void cfg_read_routes(struct cfg_reader *r, struct cfg_node *n, struct cfg_src_node *s,
	const struct cfg_yaml *list);
void cfg_read_rules(struct cfg_reader *r, struct cfg_node *n, struct cfg_src_node *s,
	const struct cfg_yaml *list);
void cfg_read_tunables(
	struct cfg_reader *r, const struct cfg_yaml *map, struct cfg_tunable **out, size_t *n_out);
void cfg_read_helpers(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *map);
/* The usual port of a helper; 0: there is no such helper. */
uint16_t cfg_helper_port(const char *name);
void cfg_read_nat_addresses(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *v);
void cfg_read_balance(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *list);

/* The keys of an interface that are its adapter's matter. */
struct cfg_sharer_text {
	const struct cfg_yaml *router, *oat, *isolation, *devices;
	bool echo_filter, promiscuous;
};

void cfg_read_osas(struct cfg_reader *r, const struct cfg_yaml *map);
void cfg_read_sharer(struct cfg_reader *r, const struct cfg_sharer_text *t, struct cfg_iface *i);
/* Card, machine and network type, in the mode that has been read; the profile follows from the card. */
void cfg_read_card(struct cfg_reader *r, const struct cfg_yaml *kind, const struct cfg_yaml *machine, const struct cfg_yaml *type,
	const struct cfg_yaml *profile, struct cfg_osa *o);
/* The static table from a file, named from the directory of the configuration. */
void cfg_read_table_file(struct cfg_reader *r, const struct cfg_yaml *name, struct cfg_osa *o);

void cfg_check(struct cfg_reader *r);
void cfg_check_ifaces(struct cfg_reader *r);
void cfg_check_osas(struct cfg_reader *r); /* before the interfaces */
void cfg_check_sharers(struct cfg_reader *r); /* behind links and routes */
void cfg_check_oat(struct cfg_reader *r, struct cfg_osa *o);
void cfg_check_lan_exists(struct cfg_reader *r, struct cfg_mark at, const char *name);
const struct cfg_sharer *cfg_sharer_of(const struct cfg_iface *i); /* the defaults where it has none of its own */
void cfg_check_links(struct cfg_reader *r);
void cfg_check_routes(struct cfg_reader *r);

/* Prints address translation's keys of a router. */
void cfg_print_nat(FILE *to, const struct cfg_node *n);

/* Place of a field of an object, or of the object when it has no such field. */
struct cfg_mark cfg_place(const struct cfg_yaml *map, const char *key);
/* Place of item `i` of a field that is one value or a list. */
struct cfg_mark cfg_place_item(const struct cfg_yaml *map, const char *key, size_t i);
struct cfg_src *cfg_iface_src(const struct cfg_reader *r, const struct cfg_iface *i);

static inline bool
cfg_is_link(const struct cfg_iface *i)
{
	return i->kind == CFG_IUCV || i->kind == CFG_CTC;
}

static inline bool
cfg_is_link_local(const struct ip_addr *a)
{
	return a->family == AF_INET6 && a->v6[0] == 0xfe && (a->v6[1] & 0xc0) == 0x80;
}

/* The MTUs that an OSA network of the time has (OSA-7). */
bool cfg_mtu_of_osa(uint32_t mtu);
/* The key that makes an interface this kind: "iucv", ... */
const char *cfg_kind_text(enum cfg_iface_kind kind);
/* The LAN that an interface is on, directly or through its adapter, or NULL. */
struct cfg_lan *cfg_lan_of(const struct config *c, const struct cfg_iface *i);
uint32_t cfg_default_mtu(const struct config *c, const struct cfg_iface *i);
/* The address of the far end, where the file says none. AF_UNSPEC: not known. */
struct ip_addr cfg_default_peer(const struct cfg_iface *i);
/* The interface of a guest's default route when its file gives no routes, or NULL. */
const struct cfg_iface *cfg_default_link(const struct cfg_node *n);
/* Lower case copy for lookup. => its length, at most NODE_NAME - 1 */
size_t cfg_fold(const char *name, char out[NODE_NAME]);

#endif
