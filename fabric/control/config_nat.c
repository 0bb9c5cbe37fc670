/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address translation's own keys of a router: hairpin, nat_addresses, balance. */
#include "fabric/control/config_reader.h"

#include <stdlib.h>
#include <string.h>

enum { SERVICES_MAX = 256, WORKERS_MAX = 256 };

struct check_text {
	const struct cfg_yaml *ping, *tcp;
	uint16_t interval, fail, rise;
};

struct balance_text {
	const struct cfg_yaml *address, *workers, *check;
	uint16_t port;
	uint8_t protocol, method;
};

/* A word of a few, and what it stands for. */
struct word {
	const char *text;
	uint8_t value;
};

static const struct word protocols[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}};
static const struct word methods[] = {{"hash", CFG_BALANCE_HASH}, {"least", CFG_BALANCE_LEAST}};

static void
read_word(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object,
	const struct word words[2])
{
	char text[CFG_QUOTE];

	if (!cfg_word(r, k->name, v))
		return;
	for (int i = 0; i < 2; i++) {
		if (strcmp(v->text, words[i].text) == 0) {
			*((uint8_t *)object + k->offset) = words[i].value;
			return;
		}
	}
	cfg_error(r, v->at, "'%s' is no value of %s, expected %s or %s", cfg_quote(v->text, text),
		k->name, words[0].text, words[1].text);
}

static void
read_protocol(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	read_word(r, k, v, object, protocols);
}

static void
read_method(struct cfg_reader *r, const struct cfg_key *k, const struct cfg_yaml *v, void *object)
{
	read_word(r, k, v, object, methods);
}

#define LATER(type, name) {#name, cfg_read_later, offsetof(struct type, name), 0, 0, NULL}
#define NUMBER(type, name, max) {#name, cfg_read_u16, offsetof(struct type, name), 1, max, NULL}

static const struct cfg_key balance_keys[] = {
	LATER(balance_text, address),
	NUMBER(balance_text, port, 65535),
	{"protocol", read_protocol, offsetof(struct balance_text, protocol), 0, 0, NULL},
	{"method", read_method, offsetof(struct balance_text, method), 0, 0, NULL},
	LATER(balance_text, workers),
	LATER(balance_text, check),
};

static const struct cfg_key check_keys[] = {
	LATER(check_text, ping),
	LATER(check_text, tcp),
	NUMBER(check_text, interval, 3600),
	NUMBER(check_text, fail, 100),
	NUMBER(check_text, rise, 100),
};

void
cfg_read_nat_addresses(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *v)
{
	bool list = v->kind == CFG_YAML_LIST;
	const struct cfg_yaml *item = list ? v->first : v;

	if (v->kind == CFG_YAML_SCALAR && v->text && strcmp(v->text, "arp") == 0) {
		n->nat_addresses_arp = true;
		return;
	}
	n->nat_addresses = cfg_alloc(r->keep, (list ? v->n : 1) * sizeof(*n->nat_addresses));
	for (; item; item = list ? item->next : NULL) {
		struct ip_prefix *p = &n->nat_addresses[n->n_nat_addresses];

		if (!cfg_network(r, "nat_addresses", item, p))
			continue;
		if (p->addr.family == AF_INET)
			n->n_nat_addresses++;
		else
			cfg_error(r, item->at, "nat_addresses has an IPv6 prefix, expected IPv4");
	}
}

/* ADDRESS, of a host and of IPv4. */
static bool
read_host(struct cfg_reader *r, const char *what, const struct cfg_yaml *v, struct ip_addr *out)
{
	char text[CFG_QUOTE];

	if (!cfg_address(r, what, v, out))
		return false;
	if (out->family == AF_INET && out->v4 != 0 && !ip4_is_multicast(out->v4) &&
		!ip4_is_loopback(out->v4) && out->v4 != INADDR_BROADCAST)
		return true;
	cfg_error(r, v->at, "%s %s is no address of a station, expected a unicast IPv4 address", what,
		cfg_quote(v->text, text));
	return false;
}

/* ADDRESS or ADDRESS:PORT. */
static bool
read_worker(struct cfg_reader *r, const struct cfg_yaml *v, uint16_t port, struct cfg_worker *w)
{
	struct cfg_key key = {.name = "worker", .min = 1, .max = 65535};
	struct cfg_yaml host = *v, number = *v;
	const char *colon;
	int64_t value = port;

	if (!cfg_word(r, "worker", v))
		return false;
	colon = strchr(v->text, ':');
	if (colon && !strchr(colon + 1, ':')) {
		host.text = cfg_copy(&r->scratch, v->text, (size_t)(colon - v->text));
		number.text = colon + 1;
		number.plain = true;
		if (!cfg_number(r, &key, &number, &value))
			return false;
	}
	w->at = v->at;
	w->port = (uint16_t)value;
	return read_host(r, "worker", &host, &w->address);
}

static void
check_worker_alone(struct cfg_reader *r, const struct cfg_balance *b, const struct cfg_worker *w)
{
	for (const struct cfg_worker *o = b->workers; o < w; o++) {
		if (o->port != w->port || !ip_equal(&o->address, &w->address))
			continue;
		cfg_error(r, w->at, "this worker is there already, at %u:%u, expected each once",
			o->at.line, o->at.column);
		return;
	}
}

static void
read_workers(struct cfg_reader *r, struct cfg_balance *b, const struct cfg_yaml *v)
{
	if (!cfg_expect(r, v, CFG_YAML_LIST, "workers"))
		return;
	if (v->n == 0 || v->n > WORKERS_MAX) {
		cfg_error(r, v->at, "there are %u workers, expected 1 to %d", v->n, WORKERS_MAX);
		return;
	}
	b->workers = cfg_alloc(r->keep, v->n * sizeof(*b->workers));
	for (const struct cfg_yaml *item = v->first; item; item = item->next) {
		struct cfg_worker *w = &b->workers[b->n_workers];

		if (!read_worker(r, item, b->port, w))
			continue;
		check_worker_alone(r, b, w);
		b->n_workers++;
	}
}

/* `tcp` is a port, or true for that of the worker. */
static void
read_check_port(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_balance *b)
{
	struct cfg_key key = {.name = "tcp", .min = 1, .max = 65535};
	int64_t port = 0;

	if (v->kind == CFG_YAML_SCALAR && v->plain && v->text && strcmp(v->text, "true") == 0)
		return;
	if (cfg_number(r, &key, v, &port))
		b->check.port = (uint16_t)port;
}

static void
read_check(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_balance *b)
{
	struct check_text t = {.interval = 2, .fail = 3, .rise = 2};
	bool ping = false;

	if (!cfg_read_map(r, v, "check", check_keys, CFG_COUNT(check_keys), &t))
		return;
	if (t.ping)
		cfg_read_bool(r, &(struct cfg_key){.name = "ping"}, t.ping, &ping);
	if (ping == (t.tcp != NULL)) {
		cfg_error(r, v->at, "check is of %s kind, expected one of ping: true and tcp: PORT",
			ping ? "more than one" : "no");
		return;
	}
	b->check.kind = ping ? CFG_CHECK_PING : CFG_CHECK_TCP;
	b->check.interval = t.interval;
	b->check.fail = t.fail;
	b->check.rise = t.rise;
	if (t.tcp)
		read_check_port(r, t.tcp, b);
	if (!ping && b->protocol == IPPROTO_UDP && b->check.port == 0)
		cfg_error(r, t.tcp->at, "the service is udp, expected the port that tcp is to try");
}

static void
check_alone(struct cfg_reader *r, const struct cfg_node *n, const struct cfg_balance *b)
{
	for (const struct cfg_balance *o = n->balance; o < b; o++) {
		if (o->protocol == b->protocol && o->port == b->port &&
			ip_equal(&o->address, &b->address))
			cfg_error(r, b->at, "this service is balanced already, at %u:%u, expected each once",
				o->at.line, o->at.column);
	}
}

static void
read_service(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *v)
{
	struct balance_text t = {.protocol = IPPROTO_TCP};
	struct cfg_balance *b = &n->balance[n->n_balance];

	if (!cfg_read_map(r, v, "a balanced service", balance_keys, CFG_COUNT(balance_keys), &t))
		return;
	if (!t.address || !t.workers || t.port == 0) {
		cfg_error(r, v->at, "a balanced service has no %s, expected address, port and workers",
			!t.address ? "address" : t.port == 0 ? "port" : "workers");
		return;
	}
	*b = (struct cfg_balance){
		.at = v->at, .port = t.port, .protocol = t.protocol, .method = t.method};
	if (!read_host(r, "address", t.address, &b->address))
		return;
	read_workers(r, b, t.workers);
	if (t.check)
		read_check(r, t.check, b);
	check_alone(r, n, b);
	n->n_balance++;
}

void
cfg_read_balance(struct cfg_reader *r, struct cfg_node *n, const struct cfg_yaml *list)
{
	if (!cfg_expect(r, list, CFG_YAML_LIST, "balance"))
		return;
	if (list->n > SERVICES_MAX) {
		cfg_error(r, list->at, "there are %u balanced services, expected at most %d",
			list->n, SERVICES_MAX);
		return;
	}
	n->balance = cfg_alloc(r->keep, list->n * sizeof(*n->balance));
	for (const struct cfg_yaml *item = list->first; item; item = item->next)
		read_service(r, n, item);
}

/* ---- printing ---- */

static void
print_check(FILE *to, const struct cfg_balance *b)
{
	if (b->check.kind == CFG_CHECK_NONE)
		return;
	if (b->check.kind == CFG_CHECK_PING)
		fputs(", check: {ping: true", to);
	else if (b->check.port)
		fprintf(to, ", check: {tcp: %u", b->check.port);
	else
		fputs(", check: {tcp: true", to);
	fprintf(to, ", interval: %u, fail: %u, rise: %u}", b->check.interval, b->check.fail,
		b->check.rise);
}

static void
print_service(FILE *to, const struct cfg_balance *b)
{
	char text[ADDR_TEXT];

	fprintf(to, "      - {address: %s, port: %u, protocol: %s, method: %s, workers: [",
		ip_text(&b->address, text), b->port, b->protocol == IPPROTO_TCP ? "tcp" : "udp",
		methods[b->method].text);
	for (size_t i = 0; i < b->n_workers; i++) {
		fprintf(to, "%s%s", i ? ", " : "", ip_text(&b->workers[i].address, text));
		if (b->workers[i].port != b->port)
			fprintf(to, ":%u", b->workers[i].port);
	}
	fputc(']', to);
	print_check(to, b);
	fputs("}\n", to);
}

void
cfg_print_nat(FILE *to, const struct cfg_node *n)
{
	char text[PREFIX_TEXT];

	fputs(n->hairpin ? "    hairpin: true\n" : "", to);
	fputs(n->nat_addresses_arp ? "    nat_addresses: arp\n" : "", to);
	for (size_t i = 0; i < n->n_nat_addresses; i++)
		fprintf(to, "%s%s", i ? ", " : "    nat_addresses: [",
			prefix_text(&n->nat_addresses[i], text));
	fputs(n->n_nat_addresses ? "]\n" : "", to);
	fputs(n->n_balance ? "    balance:\n" : "", to);
	for (size_t i = 0; i < n->n_balance; i++)
		print_service(to, &n->balance[i]);
}

/* ---- comparing ---- */

static bool
same_service(const struct cfg_balance *a, const struct cfg_balance *b)
{
	if (!ip_equal(&a->address, &b->address) || a->port != b->port ||
		a->protocol != b->protocol || a->method != b->method ||
		a->n_workers != b->n_workers || memcmp(&a->check, &b->check, sizeof(a->check)) != 0)
		return false;
	for (size_t i = 0; i < a->n_workers; i++) {
		if (!ip_equal(&a->workers[i].address, &b->workers[i].address) ||
			a->workers[i].port != b->workers[i].port)
			return false;
	}
	return true;
}

bool
config_nat_equal(const struct cfg_node *a, const struct cfg_node *b)
{
	if (a->hairpin != b->hairpin || a->nat_addresses_arp != b->nat_addresses_arp ||
		a->n_nat_addresses != b->n_nat_addresses || a->n_balance != b->n_balance)
		return false;
	for (size_t i = 0; i < a->n_nat_addresses; i++) {
		if (!prefix_equal(&a->nat_addresses[i], &b->nat_addresses[i]))
			return false;
	}
	for (size_t i = 0; i < a->n_balance; i++) {
		if (!same_service(&a->balance[i], &b->balance[i]))
			return false;
	}
	return true;
}
