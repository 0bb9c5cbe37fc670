/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/filters.h"

#include "fabric/cli/cli.h"
#include "filters/iptables/iptables.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WHY = 1024 };

static int
read_stream(FILE *from, char **text, size_t *len)
{
	FILE *to = open_memstream(text, len);
	char buf[65536];
	size_t n;

	if (!to)
		return -ENOMEM;
	while ((n = fread(buf, 1, sizeof(buf), from)) > 0 && *len < BUNDLE_MAX)
		fwrite(buf, 1, n, to);
	return fclose(to) != 0 || ferror(from) ? -EIO : 0;
}

/* `name`: a file, from the directory of the configuration, or the text itself. *origin says where it is from. */
static int
read_text(const char *path, const char *node, const char *what, const char *name, char **text, size_t *len, char *origin, size_t size)
{
	char *dir, *copy;
	FILE *from;
	int rc;

	if (strchr(name, '\n')) {
		snprintf(origin, size, "%s: %s of %s", path, what, node);
		*text = strdup(name);
		*len = strlen(name);
		if (!*text)
			complain("out of memory");
		return *text ? 0 : -ENOMEM;
	}
	copy = strdup(path);
	dir = copy ? dirname(copy) : NULL;
	if (name[0] == '/' || !dir)
		snprintf(origin, size, "%s", name);
	else
		snprintf(origin, size, "%s/%s", dir, name);
	free(copy);
	from = fopen(origin, "re");
	rc = from ? read_stream(from, text, len) : -errno;
	if (from)
		fclose(from);
	if (rc < 0)
		complain("%s: the %s of %s in %s cannot be read: %s", path, what, node, origin, strerror(-rc));
	return rc;
}

static int
read_rules(const struct cfg_node *n, const char *path, struct bundle *out)
{
	char origin[PATH_MAX], why[WHY], *text = NULL;
	struct rules *rules;
	uint8_t *bytes;
	size_t len = 0;
	int rc = read_text(path, n->name, "rules", n->filter_rules, &text, &len, origin, sizeof(origin));

	if (rc < 0)
		return rc;
	rules = iptables_read(text, len, origin, why, sizeof(why));
	free(text);
	if (!rules) {
		complain("%s", why);
		return -EINVAL;
	}
	bytes = rules_encode(rules, &len);
	rc = bytes ? bundle_set(out, n->name, BUNDLE_RULES, bytes, len) : -ENOMEM;
	free(bytes);
	rules_free(rules);
	return rc;
}

static int
read_sets(const struct cfg_node *n, const char *path, struct bundle *out)
{
	char origin[PATH_MAX], *text = NULL;
	size_t len = 0;
	int rc = read_text(path, n->name, "sets", n->filter_sets, &text, &len, origin, sizeof(origin));

	if (rc == 0)
		rc = bundle_set(out, n->name, BUNDLE_SETS, text, len);
	free(text);
	return rc;
}

int
filters_read(const struct config *cfg, const char *path, struct bundle *out)
{
	int rc = 0;

	*out = (struct bundle){0};
	for (size_t i = 0; i < cfg->n_routers && rc == 0; i++) {
		const struct cfg_node *n = &cfg->nodes[i];

		if (n->filter_sets)
			rc = read_sets(n, path, out);
		if (rc == 0 && n->filter_rules)
			rc = read_rules(n, path, out);
	}
	if (rc < 0)
		bundle_fini(out);
	return rc;
}

int
filters_fd(const struct config *cfg, const char *path)
{
	struct bundle b;
	int fd = filters_read(cfg, path, &b);

	if (fd < 0)
		return fd;
	fd = bundle_write(&b);
	bundle_fini(&b);
	if (fd < 0)
		complain("the rules cannot be handed on: %s", strerror(-fd));
	return fd;
}

/* => text of iptables-save, or NULL after a complaint. */
static char *
rules_text(const struct bundle_item *item)
{
	char why[WHY], *text = NULL;
	struct rules *rules = rules_decode(item->bytes, item->len, why, sizeof(why));
	size_t len;
	FILE *to = rules ? open_memstream(&text, &len) : NULL;
	int rc = to ? iptables_write(rules, false, to) : -ENOMEM;

	if (to)
		fclose(to);
	if (!rules || rc < 0) {
		complain("the rules of %s cannot be printed: %s", item->node, rules ? strerror(-rc) : why);
		free(text);
		text = NULL;
	}
	rules_free(rules);
	return text;
}

static bool
inline_item(struct config *cfg, const struct bundle_item *item, char **text)
{
	struct cfg_node *n = config_node(cfg, item->node);

	*text = item->kind == BUNDLE_RULES ? rules_text(item) : strdup((const char *)item->bytes);
	if (!*text || !n)
		return *text != NULL;
	if (item->kind == BUNDLE_RULES)
		n->filter_rules = **text ? *text : NULL;
	else
		n->filter_sets = **text ? *text : NULL;
	return true;
}

static char *
inline_all(struct config *cfg, const struct bundle *b)
{
	char **texts = calloc(b->n + 1, sizeof(*texts)), *whole = NULL;
	bool good = texts != NULL;

	for (size_t i = 0; i < cfg->n_routers; i++)
		cfg->nodes[i].filter_rules = cfg->nodes[i].filter_sets = NULL;
	for (size_t i = 0; i < b->n && good; i++)
		good = inline_item(cfg, &b->items[i], &texts[i]);
	if (good)
		whole = config_text(cfg);
	for (size_t i = 0; texts && i < b->n; i++)
		free(texts[i]);
	free(texts);
	return whole;
}

char *
filters_config_text(struct client *c, struct config *cfg)
{
	int fds[WIRE_FDS_MAX], rc = -EBADMSG;
	struct bundle b;
	size_t n = 0;
	json_t *reply = client_call_fds(c, PEER_KEEPER, json_pack("{s:s}", "op", "bundle"), fds, &n);
	char *text;

	if (!reply)
		return NULL;
	json_decref(reply);
	if (n > 0)
		rc = bundle_read(fds[0], &b);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	if (rc < 0) {
		complain("the rules of the fabric cannot be read: %s", strerror(-rc));
		return NULL;
	}
	text = inline_all(cfg, &b);
	bundle_fini(&b);
	return text;
}
