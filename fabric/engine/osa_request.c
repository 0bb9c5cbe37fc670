/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes from outside to a running adapter: {"op":"osa"}, its roles, entries, isolation and network side changed live; and what
 * the keeper has seen of devices and guests.
 */
#include "fabric/base/log.h"
#include "fabric/engine/osa.h"

#include <errno.h>
#include <stdlib.h>

struct request {
	struct engine *engine;
	const json_t *json;
	const struct cfg_osa *osa;
	struct placed_osa *place;
	const struct cfg_iface *iface; /* with a node */
	struct sharer *sharer;
};

static const char *
word(const struct request *r, const char *key)
{
	return json_string_value(json_object_get(r->json, key));
}

/* The interface of the node on this adapter. => NULL or an error. */
static json_t *
find_sharer(struct request *r)
{
	const char *node = word(r, "node"), *name = word(r, "interface");
	const struct cfg_node *n = node ? config_node(r->engine->config, node) : NULL;

	if (!n)
		return wire_error("there is no router or guest '%s'", node ? node : "");
	for (size_t i = 0; i < n->n_ifaces; i++) {
		const struct cfg_iface *f = &n->ifaces[i];

		if (f->kind != CFG_OSA || strcmp(f->target, r->osa->name) != 0 || (name && strcmp(f->name, name) != 0))
			continue;
		if (r->iface)
			return wire_error("%s has several interfaces on %s, expected 'interface'", n->name, r->osa->name);
		r->iface = f;
	}
	if (!r->iface)
		return wire_error("%s has no interface %s%son %s", n->name, name ? name : "", name ? " " : "", r->osa->name);
	r->sharer = placed_iface(r->engine->placement, r->iface)->sharer;
	return NULL;
}

static json_t *
refused(const char *sentence, const struct osa_answer *a)
{
	json_t *e = wire_error("%s", sentence);

	json_object_set_new(e, "code", json_integer(a->code));
	json_object_set_new(e, "word", json_string(osa_code_word(a->code)));
	if (a->holder[0])
		json_object_set_new(e, "holder", json_string(a->holder));
	return e;
}

static json_t *
change_role(struct request *r)
{
	const char *text = word(r, "role"), *only = word(r, "protocol");
	struct osa_answer answer;
	char why[160], sentence[320];
	enum osa_role role;

	if (!text || osa_role_parse(text, &role) < 0)
		return wire_error("'%s' is no role, expected no_router, primary_router, secondary_router, multicast_router, "
				  "primary_connector or secondary_connector", text ? text : "");
	if (only && strcmp(only, "ipv4") != 0 && strcmp(only, "ipv6") != 0)
		return wire_error("'%s' is no protocol, expected ipv4 or ipv6", only);
	if (r->osa->mode != OSA_QDIO)
		return wire_error("%s is %s: roles are set by its configuration only", r->osa->name, osa_mode_word(r->osa->mode));
	for (int p = only && strcmp(only, "ipv6") == 0; p <= (only && strcmp(only, "ipv6") == 0); p++) {
		if (adapter_role(r->sharer->adapter, &r->engine->control.walker.env, r->sharer, (enum osa_protocol)p, role, &answer) == 0)
			continue;
		snprintf(sentence, sizeof(sentence), "%s is not %s on %s: %s", r->sharer->name, osa_role_word(role), r->osa->name,
				osa_answer_text(&answer, why, sizeof(why)));
		return refused(sentence, &answer);
	}
	return wire_ok();
}

/* Address and kind of an entry. => NULL or an error. */
static json_t *
read_entry(const struct request *r, struct ip_addr *addr, enum osa_entry *kind)
{
	const char *text = word(r, "address"), *which = word(r, "kind");

	*kind = OSA_NORMAL;
	if (!text || ip_parse(text, addr) < 0)
		return wire_error("'%s' is no address", text ? text : "");
	if (which && osa_entry_parse(which, kind) < 0)
		return wire_error("'%s' is no kind of entry, expected address, vipa or rxip", which);
	if (r->osa->mode == OSA_OSE)
		return wire_error("%s is ose: its table is static, from the configuration", r->osa->name);
	if (r->osa->mode == OSA_DEDICATED)
		return wire_error("%s is dedicated: it has no table", r->osa->name);
	return NULL;
}

static json_t *
add_entry(struct request *r)
{
	struct osa_answer answer = {0};
	char text[ADDR_TEXT], why[160], sentence[320];
	struct ip_addr addr;
	enum osa_entry kind;
	json_t *bad = read_entry(r, &addr, &kind);
	int rc;

	if (bad)
		return bad;
	rc = sharer_add(r->sharer, &r->engine->control.walker.env, &addr, kind, &answer);
	ip_text(&addr, text);
	if (rc == 0 && answer.code)
		return json_pack("{s:b, s:i, s:s}", "ok", 1, "code", (int)answer.code, "word", osa_code_word(answer.code));
	if (rc == 0)
		return wire_ok();
	if (answer.code == 0)
		return wire_error("%s is not registered on %s: %s", text, r->osa->name,
				rc == -EEXIST ? "the entry is there already" : "not an address that a port dispatches by");
	snprintf(sentence, sizeof(sentence), "%s is not registered on %s for %s: %s", text, r->osa->name, r->sharer->name,
			osa_answer_text(&answer, why, sizeof(why)));
	return refused(sentence, &answer);
}

static json_t *
delete_entry(struct request *r)
{
	char text[ADDR_TEXT];
	struct ip_addr addr;
	enum osa_entry kind;
	json_t *bad = read_entry(r, &addr, &kind);

	if (bad)
		return bad;
	if (sharer_del(r->sharer, &r->engine->control.walker.env, &addr, kind) == 0)
		return wire_ok();
	return wire_error("%s has no %s entry of %s on %s", r->sharer->name, osa_entry_word(kind), ip_text(&addr, text), r->osa->name);
}

static json_t *
change_network(struct request *r)
{
	const json_t *up = json_object_get(r->json, "up");

	if (!json_is_boolean(up))
		return wire_error("expected 'up', true or false");
	r->place->unplugged = !json_is_true(up);
	osa_network_changed(r->engine, r->osa, r->place);
	return wire_ok();
}

static json_t *
change_isolation(struct request *r)
{
	const char *text = word(r, "isolation");
	enum osa_isolation isolation;
	uint16_t code;

	if (!text || osa_isolation_parse(text, &isolation) < 0)
		return wire_error("'%s' is no isolation, expected none, forward or drop", text ? text : "");
	code = adapter_isolate(r->sharer->adapter, &r->engine->control.walker.env, r->sharer, isolation);
	if (r->sharer->set.isolation == isolation)
		return wire_ok();
	return wire_error("%s is not isolated on %s: %s (0x%02x)", r->sharer->name, r->osa->name, osa_access_word(code), code);
}

static const struct {
	const char *name;
	bool of_sharer;
	json_t *(*run)(struct request *r);
} requests[] = {
		{"role", true, change_role},
		{"add", true, add_entry},
		{"del", true, delete_entry},
		{"network", false, change_network},
		{"isolation", true, change_isolation},
};

static json_t *
run(struct request *r, const char *what)
{
	for (size_t i = 0; what && i < RTE_DIM(requests); i++) {
		json_t *bad;

		if (strcmp(what, requests[i].name) != 0)
			continue;
		bad = requests[i].of_sharer ? find_sharer(r) : NULL;
		return bad ? bad : requests[i].run(r);
	}
	return wire_error("'%s' cannot be done to an adapter, expected role, add, del, network or isolation", what ? what : "");
}

json_t *
osa_request(struct engine *e, const json_t *request)
{
	struct request r = {.engine = e, .json = request};
	const char *name = json_string_value(json_object_get(request, "osa"));
	json_t *answer;

	if (!e->config)
		return wire_error("there is no configuration yet");
	r.osa = name ? config_osa(e->config, name) : NULL;
	if (!r.osa)
		return wire_error("there is no adapter '%s'", name ? name : "");
	r.place = placed_osa(e->placement, name);
	slow_lock(&e->control);
	answer = run(&r, json_string_value(json_object_get(request, "do")));
	worker_run_queue(&e->control);
	slow_unlock(&e->control);
	worker_flush(&e->control);
	carriers_tell(e, e->placement);
	return answer;
}

static void
run_and_tell(struct engine *e)
{
	worker_run_queue(&e->control);
	slow_unlock(&e->control);
	worker_flush(&e->control);
	if (e->placement)
		carriers_tell(e, e->placement);
}

void
publish_osa_carrier(struct engine *e, const char *name, bool up)
{
	struct placed_osa *po = placed_osa(e->placement, name);

	if (!po)
		return;
	slow_lock(&e->control);
	po->device_down = !up;
	osa_network_changed(e, config_osa(e->config, name), po);
	run_and_tell(e);
}

/* The interface "GUEST/INTERFACE"; NULL: none. */
static const struct cfg_iface *
iface_named(const struct engine *e, const char *port)
{
	char node[NODE_NAME + IFACE_NAME], *slash;
	const struct cfg_node *n;

	snprintf(node, sizeof(node), "%s", port);
	slash = strchr(node, '/');
	if (!slash || !e->config)
		return NULL;
	*slash = '\0';
	n = config_node(e->config, node);
	return n ? config_iface(n, slash + 1) : NULL;
}

void
publish_guest_addresses(struct engine *e, const char *port, struct ip_addr *list, size_t n)
{
	const struct cfg_iface *i = iface_named(e, port);
	struct sharer *s = i && i->kind == CFG_OSA ? placed_iface(e->placement, i)->sharer : NULL;

	if (!s) {
		free(list);
		return;
	}
	slow_lock(&e->control);
	free(s->seen);
	s->seen = list;
	s->n_seen = n;
	s->seen_known = true;
	adapters_update(e, e->placement);
	run_and_tell(e);
}
