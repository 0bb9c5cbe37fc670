/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of a configuration, for rookery.yaml(5). */
#ifndef FABRIC_CLI_YAML_KEYS_H
#define FABRIC_CLI_YAML_KEYS_H

struct yaml_key {
	const char *name, *type;
	const char *fallback; /* NULL: it has to be given, or has no default */
	const char *text;
};

/* One kind of map. */
struct yaml_map {
	const char *title, *text;
	const struct yaml_key *keys; /* ends with a NULL name */
};

/* Ends with a NULL title. */
extern const struct yaml_map yaml_maps[];
extern const char yaml_example[];

#endif
