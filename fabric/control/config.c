/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration from its text to its end.
 *
 * Reading goes in three steps. config_yaml.c makes a tree of the text, in which each word knows its
 * place. config_read.c, config_iface.c, config_read_osa.c and config_route.c walk the tree by tables of keys and make
 * the objects of config.h. config_check.c, config_link.c and config_onlink.c look at what holds
 * between objects (names, links with two ends, next hops on link, addresses used once) and fill in
 * what the file leaves out; so do config_check_osa.c and config_check_oat.c for adapters. An object with an error in it is skipped by the later steps, so that
 * one mistake is one line.
 *
 * Everything that a configuration points to lives in one arena (config_arena.c), freed in one go;
 * the tree lives in a second one that ends with the reading. When memory runs out, cfg_alloc()
 * leaves the second and third step by longjmp(): nothing is held there but the two arenas.
 *
 * A finished configuration is never changed, so any thread may read it without a lock.
 */
#include "fabric/control/config_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config *
config_new(const char *origin)
{
	struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->store = calloc(1, sizeof(*c->store));
	if (!c->store) {
		free(c);
		return NULL;
	}
	c->store->nodes.arena = &c->store->arena;
	c->store->lans.arena = &c->store->arena;
	c->store->osas.arena = &c->store->arena;
	c->origin = cfg_copy(&c->store->arena, origin, strlen(origin));
	if (!c->origin) {
		config_free(c);
		return NULL;
	}
	return c;
}

void
config_free(struct config *c)
{
	if (!c)
		return;
	if (c->store)
		cfg_arena_fini(&c->store->arena);
	free(c->store);
	free(c);
}

/* The steps behind the tree. In a function of its own: setjmp() and its locals. */
static int
read_tree(struct cfg_reader *r, const struct cfg_yaml *root)
{
	if (setjmp(r->escape))
		return -ENOMEM;
	r->keep->escape = &r->escape;
	r->scratch.escape = &r->escape;
	cfg_read_fabric(r, root);
	cfg_check(r);
	return 0;
}

static int
read_text(struct cfg_reader *r, const char *text, size_t len)
{
	struct cfg_yaml *root;
	int rc;

	if (len > CFG_TEXT_MAX) {
		cfg_error(r, (struct cfg_mark){1, 1},
			"the text is more than 64 MB long, expected at most that");
		return -EINVAL;
	}
	rc = cfg_yaml_read(r, text, len, &root);
	if (rc == 0 && (!root || root->null)) {
		cfg_error(r, (struct cfg_mark){1, 1},
			"the configuration is empty, expected 'fabric: NAME' and more");
		rc = -EINVAL;
	}
	if (rc == 0)
		rc = read_tree(r, root);
	r->keep->escape = NULL;
	if (rc == 0 && r->errs->total)
		rc = -EINVAL;
	return r->out_of_memory ? -ENOMEM : rc;
}

static int
read_config(const char *text, size_t len, const char *origin, bool files, struct config **out, struct cfg_errors *errs)
{
	struct cfg_reader *r;
	int rc = -ENOMEM;

	*out = NULL;
	*errs = (struct cfg_errors){0};
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->origin = origin;
	r->files = files;
	r->errs = errs;
	r->c = config_new(origin);
	if (r->c) {
		r->keep = &r->c->store->arena;
		rc = read_text(r, text, len);
	}
	if (rc == 0)
		*out = r->c;
	else
		config_free(r->c);
	cfg_arena_fini(&r->scratch);
	free(r);
	return rc;
}

int
config_read(const char *text, size_t len, const char *origin, struct config **out,
	struct cfg_errors *errs)
{
	return read_config(text, len, origin, false, out, errs);
}

/* Reads up to CFG_TEXT_MAX + 1 bytes, so that config_read() sees when it is too much. => length or
 * -errno */
static ssize_t
read_whole(int fd, char **out)
{
	size_t size = 0, used = 0;
	char *text = NULL, *grown;
	ssize_t n;

	do {
		if (used == size) {
			size = size ? size * 2 : 65536;
			grown = realloc(text, size);
			if (!grown) {
				free(text);
				return -ENOMEM;
			}
			text = grown;
		}
		n = read(fd, text + used, size - used);
		used += n > 0 ? (size_t)n : 0;
	} while ((n > 0 && used <= CFG_TEXT_MAX) || (n < 0 && errno == EINTR));
	if (n < 0) {
		n = -errno;
		free(text);
		return n;
	}
	*out = text;
	return (ssize_t)used;
}

static int
load_error(const char *path, int error, struct cfg_errors *errs)
{
	struct cfg_reader r = {.origin = path, .errs = errs};

	*errs = (struct cfg_errors){0};
	cfg_error(&r, (struct cfg_mark){1, 1}, "%s, expected a readable file", strerror(-error));
	return error;
}

int
config_load(const char *path, struct config **out, struct cfg_errors *errs)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	char *text = NULL;
	ssize_t len;

	*out = NULL;
	if (fd < 0)
		return load_error(path, -errno, errs);
	len = read_whole(fd, &text);
	close(fd);
	if (len < 0)
		return load_error(path, (int)len, errs);
	rc = read_config(text, (size_t)len, path, true, out, errs);
	free(text);
	return rc;
}

struct cfg_node *
config_node(const struct config *c, const char *name)
{
	char lower[NODE_NAME];
	size_t len = cfg_fold(name, lower);

	return name[len] ? NULL : cfg_index_find(&c->store->nodes, lower, len);
}

struct cfg_iface *
config_iface(const struct cfg_node *n, const char *name)
{
	if (n->by_name)
		return cfg_index_find(n->by_name, name, strlen(name));
	for (size_t i = 0; i < n->n_ifaces; i++) {
		if (strcmp(n->ifaces[i].name, name) == 0)
			return &n->ifaces[i];
	}
	return NULL;
}

struct cfg_lan *
config_lan(const struct config *c, const char *name)
{
	return cfg_index_find(&c->store->lans, name, strlen(name));
}

struct cfg_osa *
config_osa(const struct config *c, const char *name)
{
	return cfg_index_find(&c->store->osas, name, strlen(name));
}

bool
config_iface_frames(const struct config *c, const struct cfg_iface *i)
{
	const struct cfg_osa *o = i->kind == CFG_OSA ? config_osa(c, i->target) : NULL;

	return i->kind == CFG_LAN || (o && !cfg_osa_assists(o));
}

struct mac_addr
config_osa_mac(const struct config *c, const struct cfg_osa *o)
{
	static const struct mac_addr none;
	struct mac_addr m = {{0x02}};
	uint64_t h = 0xcbf29ce484222325u;
	char text[2 * OBJECT_NAME + 1];

	if (!mac_equal(&o->mac, &none))
		return o->mac;
	snprintf(text, sizeof(text), "%s/%s", c->fabric, o->name);
	for (const char *p = text; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3u;
	h ^= h >> 40;
	for (int b = 1; b < 6; b++, h >>= 8)
		m.b[b] = (uint8_t)h;
	return m;
}
