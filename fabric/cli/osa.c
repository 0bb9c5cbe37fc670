/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adapters: roles, registered addresses, static tables. All are changes of the configuration, so they last; what the adapter answered is
 * asked for afterwards, since a registration may be refused by somebody on the LAN whom no configuration knows.
 */
#include "fabric/cli/draft.h"
#include "fabric/cli/live.h"
#include "fabric/control/config_osa.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct cfg_iface *
named_sharer(const struct cli *cl, struct edit *e)
{
	return edit_sharer(e, cli_arg(cl, "ADAPTER"), cli_arg(cl, "NODE"), cli_arg(cl, "interface"));
}

/* ---- oat ---- */

/* The parser has checked the words. */
static enum osa_entry
kind_arg(const struct cli *cl)
{
	enum osa_entry kind = OSA_NORMAL;

	if (cli_arg(cl, "kind"))
		osa_entry_parse(cli_arg(cl, "kind"), &kind);
	return kind;
}

static struct ip_addr
address_arg(const struct cli *cl)
{
	struct ip_addr a = {0};

	ip_parse(cli_arg(cl, "ADDRESS"), &a);
	return a;
}

static int
oat_add(const struct cli *cl, struct edit *e)
{
	struct cfg_iface *f = named_sharer(cl, e);
	struct ip_addr a = address_arg(cl);

	return f ? edit_oat_add(e, f, &a, kind_arg(cl)) : -ENOENT;
}

/* True when the record is about the address that was added, for that node. */
static bool
is_added(const struct cli *cl, const json_t *record)
{
	const char *owner = json_string_value(json_object_get(record, "owner"));
	const char *address = json_string_value(json_object_get(record, "address")), *node = cli_arg(cl, "NODE");
	struct ip_addr want = address_arg(cl), is;
	size_t len = strlen(node);

	return owner && address && strncasecmp(owner, node, len) == 0 && owner[len] == '/' && ip_parse(address, &is) == 0 &&
	       ip_equal(&want, &is);
}

/* The entry stands either way. => exit status */
static int
tell_answer(struct cli *cl)
{
	json_t *reply = client_call(&cl->client, PEER_ENGINE,
		json_pack("{s:s, s:s, s:s}", "op", "show", "what", "oat", "node", cli_arg(cl, "ADAPTER"))), *record;
	int status = reply ? STATUS_OK : STATUS_FAILED;
	size_t i;

	json_array_foreach(json_object_get(reply, "records"), i, record) {
		const char *answer = json_string_value(json_object_get(record, "answer"));

		if (answer && is_added(cl, record))
			status = complain("%s: %s", cli_arg(cl, "ADDRESS"), answer);
	}
	json_decref(reply);
	return status;
}

int
run_oat_add(struct cli *cl)
{
	int status = live(cl, oat_add);

	return status != STATUS_OK || cli_arg(cl, "dry-run") ? status : tell_answer(cl);
}

static int
oat_del(const struct cli *cl, struct edit *e)
{
	struct cfg_iface *f = named_sharer(cl, e);
	enum osa_entry kind = kind_arg(cl);
	struct ip_addr a = address_arg(cl);

	return f ? edit_oat_del(e, f, &a, cli_arg(cl, "kind") ? &kind : NULL) : -ENOENT;
}

int
run_oat_del(struct cli *cl)
{
	return live(cl, oat_del);
}

/* ---- a table from a file ---- */

static int
refuse_line(struct edit *e, int err, const char *path, unsigned number)
{
	snprintf(e->why, sizeof(e->why), "%s:%u:1: %s", path, number,
		err == -EINVAL ? "this is no entry, expected ADDRESS NODE [INTERFACE]" : strerror(-err));
	return err;
}

static int
add_line(struct edit *e, char *line, struct cfg_oat_static **entries, size_t *n)
{
	struct cfg_oat_static entry, *place;
	int rc = cfg_table_line(line, &entry);

	if (rc <= 0)
		return rc;
	place = edit_append(e, entries, n, sizeof(*place));
	if (!place)
		return -ENOMEM;
	*place = entry;
	return 0;
}

static int
oat_import(const struct cli *cl, struct edit *e)
{
	const char *path = cli_arg(cl, "FILE");
	struct cfg_oat_static *entries = NULL;
	FILE *f = fopen(path, "re");
	unsigned number = 0;
	char *line = NULL;
	size_t size = 0, n = 0;
	int rc = 0;

	if (!f)
		return refuse_line(e, -errno, path, 1);
	while (rc == 0 && getline(&line, &size, f) >= 0) {
		number++;
		rc = add_line(e, line, &entries, &n);
	}
	free(line);
	fclose(f);
	return rc < 0 ? refuse_line(e, rc, path, number) : edit_set_table(e, cli_arg(cl, "ADAPTER"), entries, n);
}

int
run_oat_import(struct cli *cl)
{
	return live(cl, oat_import);
}

/* ---- roles and states ---- */

static int
set_role(const struct cli *cl, struct edit *e)
{
	struct cfg_iface *f = named_sharer(cl, e);
	const char *protocol = cli_arg(cl, "protocol");
	enum osa_protocol only = protocol && strcmp(protocol, "ipv6") == 0 ? OSA_IPV6 : OSA_IPV4;
	enum osa_role role;

	if (!f)
		return -ENOENT;
	if (osa_role_parse(cli_arg(cl, "WORD"), &role) < 0) {
		snprintf(e->why, sizeof(e->why), "Invalid SETRTG indicator (0xe012): '%s', expected no_router, primary_router, "
			"secondary_router, multicast_router, primary_connector or secondary_connector", cli_arg(cl, "WORD"));
		return -EINVAL;
	}
	return edit_set_role(e, f, protocol ? &only : NULL, role);
}

static int
set_isolation(const struct cli *cl, struct edit *e)
{
	struct cfg_iface *f = named_sharer(cl, e);
	enum osa_isolation isolation;

	if (!f)
		return -ENOENT;
	if (osa_isolation_parse(cli_arg(cl, "WORD"), &isolation) < 0) {
		snprintf(e->why, sizeof(e->why), "'%s' is no isolation, expected none, forward or drop", cli_arg(cl, "WORD"));
		return -EINVAL;
	}
	return edit_set_isolation(e, f, isolation);
}

static int
set_online(const struct cli *cl, struct edit *e)
{
	struct cfg_iface *f = named_sharer(cl, e);

	return f ? edit_set_online(e, f, strcmp(cli_arg(cl, "WHAT"), "online") == 0) : -ENOENT;
}

static int
set_network(const struct cli *cl, struct edit *e)
{
	return edit_set_network(e, cli_arg(cl, "ADAPTER"), strcmp(cli_arg(cl, "WHAT"), "plug") == 0);
}

static const struct {
	const char *what;
	unsigned operands; /* behind it */
	change_fn change;
} osa_changes[] = {
		{"role", 2, set_role},
		{"isolation", 2, set_isolation},
		{"online", 1, set_online},
		{"offline", 1, set_online},
		{"plug", 0, set_network},
		{"unplug", 0, set_network},
};

int
run_osa(struct cli *cl)
{
	static const char *const expected[] = {"nothing behind it", "a node", "a node and a word"};
	unsigned given = (cli_arg(cl, "NODE") != NULL) + (cli_arg(cl, "WORD") != NULL);
	const char *what = cli_arg(cl, "WHAT");

	for (size_t i = 0; i < sizeof(osa_changes) / sizeof(osa_changes[0]); i++) {
		if (strcmp(osa_changes[i].what, what) != 0)
			continue;
		if (given != osa_changes[i].operands)
			return complain_usage(cl, "'%s' expects %s", what, expected[osa_changes[i].operands]);
		return live(cl, osa_changes[i].change);
	}
	return STATUS_USAGE;
}
