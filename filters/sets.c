/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sets of a router and the commands that change them.
 *
 * A run of commands works on the sets themselves and writes each step into an undo log (sets_log.h): the
 * cost of a line is that of its elements, whatever the size of the set. The first line that is refused undoes
 * all. A destroyed set is out of the list at once and freed when the run is kept; a place in the list
 * that has become free is taken by the next set, as in the kernel, so listings have its order.
 *
 * The control thread runs commands under the slow-way lock; packets test, add and delete under it too.
 */
#include "filters/sets.h"

#include "filters/sets_list.h"
#include "filters/sets_log.h"
#include "filters/sets_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct set_list *list;
	struct sets_log *log;
	uint64_t now;
	struct set_complaint complaint;
};

static const char NO_SUCH_SET[] = "The set with the given name does not exist";
static const char NO_MEMORY[] = "Kernel error received: Cannot allocate memory";

struct set_list *
sets_new(void)
{
	return calloc(1, sizeof(struct set_list));
}

size_t
sets_elements(const struct set_list *l)
{
	size_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		n += l->sets[i] && l->sets[i]->data->table ? l->sets[i]->data->table->n : 0;
	return n;
}

void
set_free(struct set *s)
{
	set_data_free(s->data);
	free(s);
}

void
sets_free(struct set_list *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->sets[i])
			set_free(l->sets[i]);
	free(l->sets);
	free(l);
}

struct set *
set_list_find(const struct set_list *l, const char *name)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->sets[i] && strcmp(l->sets[i]->name, name) == 0)
			return l->sets[i];
	return NULL;
}

bool
set_list_insert(struct set_list *l, struct set *s)
{
	struct set **more;
	uint32_t i = 0;

	while (i < l->n && l->sets[i])
		i++;
	if (i == l->n) {
		more = realloc(l->sets, (l->n + 1) * sizeof(*more));
		if (!more)
			return false;
		l->sets = more;
		l->n++;
	}
	s->list = l;
	s->index = i;
	l->sets[i] = s;
	return true;
}

void
set_list_remove(struct set_list *l, struct set *s)
{
	l->sets[s->index] = NULL;
}

struct set *
set_get(struct set_list *l, const char *name)
{
	struct set *s = set_list_find(l, name);

	if (s)
		s->refs++;
	return s;
}

void
set_put(struct set *s)
{
	s->refs--;
}

struct version *
set_version(struct set *s)
{
	return &s->version;
}

/* For initval: splitmix64. An outsider gains little by guessing it: packets cannot make a table grow. */
static uint32_t
list_random(struct set_list *l, uint64_t now)
{
	uint64_t x = l->random += 0x9e3779b97f4a7c15ULL + now;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return (uint32_t)(x >> 32);
}

static int
complain_memory(struct run *r)
{
	set_complain(&r->complaint, "%s", NO_MEMORY);
	return -ENOMEM;
}

/* ipset's words for what became of an element. */
static int
complain_element(struct run *r, int err, enum set_verb verb)
{
	static const char *const words[] = {
		[SET_ERR_FULL] = "Hash is full, cannot add more elements",
		[SET_ERR_NULL] = "Null-valued element, cannot be stored in a hash type of set",
		[SET_ERR_CIDR] = "The value of the CIDR parameter of the IP address is invalid",
		[SET_ERR_WHOLE] = "Invalid range, covers the whole address space",
		[SET_ERR_OUTSIDE] = "Element is out of the range of the set",
		[SET_ERR_RANGE] = "The specified range is too large, split it up into smaller ranges",
		[SET_ERR_INVALID] = "Kernel error received: Invalid argument",
		[SET_ERR_PROTO] = "Invalid protocol specified",
	};

	if (err == 0)
		return 0;
	if (err < 0)
		return complain_memory(r);
	if (err != SET_ERR_EXIST)
		return set_complain(&r->complaint, "%s", words[err]);
	return set_complain(&r->complaint, "%s",
		verb == VERB_ADD ? "Element cannot be added to the set: it's already added" :
				   "Element cannot be deleted from the set: it's not added");
}

/* ---- sets ---- */

static int
run_create(struct run *r, struct set_command *cmd)
{
	struct set *s = set_list_find(r->list, cmd->name);
	struct set_params p;

	if (set_params_parse(cmd, list_random(r->list, r->now), &p, &r->complaint) < 0)
		return -EINVAL;
	if (s && cmd->exist && set_params_same(&s->data->params, &p))
		return 0;
	if (s)
		return set_complain(&r->complaint,
			"Set cannot be created: set with the same name already exists");
	if (r->list->n >= SETS_MAX)
		return set_complain(&r->complaint,
			"Kernel error received: maximal number of sets reached, cannot create more.");
	s = calloc(1, sizeof(*s));
	if (!s)
		return complain_memory(r);
	strcpy(s->name, cmd->name);
	s->data = set_data_new(&p);
	if (!s->data || !sets_log_reserve(r->log, 1) || !set_list_insert(r->list, s)) {
		if (s->data)
			set_data_free(s->data);
		free(s);
		return complain_memory(r);
	}
	sets_log_create(r->log, s);
	return 0;
}

static int
destroy_one(struct run *r, struct set *s)
{
	if (!sets_log_reserve(r->log, 1))
		return complain_memory(r);
	sets_log_destroy(r->log, s);
	set_list_remove(r->list, s);
	return 0;
}

static int
flush_one(struct run *r, struct set *s)
{
	return set_data_flush(s->data, r->log) < 0 ? complain_memory(r) : 0;
}

static int
each_set(struct run *r, int (*fn)(struct run *r, struct set *s))
{
	for (uint32_t i = 0; i < r->list->n; i++) {
		int err = r->list->sets[i] ? fn(r, r->list->sets[i]) : 0;

		if (err)
			return err;
	}
	return 0;
}

static int
check_unused(struct run *r, struct set *s)
{
	if (s->refs == 0)
		return 0;
	return set_complain(
		&r->complaint, "Set cannot be destroyed: it is in use by a kernel component");
}

/* One set or, without a name, all. */
static int
run_destroy_or_flush(struct run *r, const struct set_command *cmd)
{
	bool destroy = cmd->verb == VERB_DESTROY;
	struct set *s;
	int err;

	if (cmd->name[0] == '\0') {
		err = destroy ? each_set(r, check_unused) : 0;
		return err ? err : each_set(r, destroy ? destroy_one : flush_one);
	}
	s = set_list_find(r->list, cmd->name);
	if (!s)
		return set_complain(&r->complaint, "%s", NO_SUCH_SET);
	if (!destroy)
		return flush_one(r, s);
	err = check_unused(r, s);
	return err ? err : destroy_one(r, s);
}

static int
run_rename(struct run *r, const struct set_command *cmd)
{
	struct set *s = set_list_find(r->list, cmd->name);

	if (!s)
		return set_complain(&r->complaint, "%s", NO_SUCH_SET);
	if (s->refs)
		return set_complain(
			&r->complaint, "Set cannot be renamed: it is in use by another system");
	if (set_list_find(r->list, cmd->second))
		return set_complain(&r->complaint,
			"Set cannot be renamed: a set with the new name already exists");
	if (!sets_log_rename(r->log, s))
		return complain_memory(r);
	strcpy(s->name, cmd->second);
	return 0;
}

static int
run_swap(struct run *r, const struct set_command *cmd)
{
	struct set *a = set_list_find(r->list, cmd->name), *b = set_list_find(r->list, cmd->second);
	struct set_data *d;

	if (!a)
		return set_complain(&r->complaint, "%s", NO_SUCH_SET);
	if (!b)
		return set_complain(
			&r->complaint, "Sets cannot be swapped: the second set does not exist");
	if (a->data->params.type != b->data->params.type)
		return set_complain(
			&r->complaint, "The sets cannot be swapped: their type does not match");
	if (!sets_log_reserve(r->log, 1))
		return complain_memory(r);
	sets_log_swap(r->log, a, b);
	d = a->data;
	a->data = b->data;
	b->data = d;
	a->data->dirty = b->data->dirty = true;
	return 0;
}

/* ---- elements ---- */

/* One command on elements of one set. */
struct change {
	struct run *run;
	enum set_verb verb;
	bool exist;
	struct set_data *d;
	const struct set_entry *entry;
	struct set_ext ext;
	uint32_t n; /* elements so far */
};

/* => enum set_error or -ENOMEM. */
static int
change_one(struct change *ch, const struct set_elem *e)
{
	int err;

	if (ch->n++ >= SET_RANGE_MAX)
		return SET_ERR_RANGE;
	if (ch->verb == VERB_ADD)
		err = set_data_add(ch->d, e, &ch->ext, ch->exist, ch->run->now, ch->run->log);
	else
		err = set_data_del(ch->d, e, ch->run->now, ch->run->log);
	return err == SET_ERR_EXIST && ch->exist ? 0 : err;
}

static int
change_ports(struct change *ch, struct set_elem *e)
{
	const struct set_span *s = &ch->entry->span;
	uint32_t from = s->port < s->port_to ? s->port : s->port_to;
	uint32_t to = s->port < s->port_to ? s->port_to : s->port;
	int err = 0;

	for (uint32_t port = from; port <= to && !err; port++) {
		e->port = (uint16_t)port;
		err = change_one(ch, e);
	}
	return err;
}

static int
change_map(struct change *ch)
{
	const struct set_span *s = &ch->entry->span;
	const struct set_params *p = &ch->d->params;
	struct set_elem e = {0};

	if (s->port < p->first || s->port > p->last || s->port_to < p->first || s->port_to > p->last)
		return SET_ERR_OUTSIDE;
	return change_ports(ch, &e);
}

/* First and last address, host byte order. A network may not be the whole address space. */
static int
change_addresses(const struct set_span *s, uint32_t mask, uint32_t *from, uint32_t *to)
{
	uint32_t host;

	*from = s->ip & ntohl(mask);
	*to = *from;
	if (s->has_ip_to) {
		*to = s->ip_to;
		if (*from > *to) {
			*from = s->ip_to;
			*to = s->ip & ntohl(mask);
		}
	} else if (s->has_cidr) {
		if (s->cidr == 0)
			return SET_ERR_CIDR;
		host = s->cidr == 32 ? 0 : UINT32_MAX >> s->cidr;
		*from &= ~host;
		*to = *from | host;
	}
	return 0;
}

static int
change_hash_ip(struct change *ch)
{
	const struct set_params *p = &ch->d->params;
	uint64_t step = 1ull << (32 - p->netmask);
	struct set_elem e = {0};
	uint32_t from, to;
	int err;

	if ((ch->entry->span.ip & ntohl(p->mask)) == 0)
		return SET_ERR_NULL;
	err = change_addresses(&ch->entry->span, p->mask, &from, &to);
	for (uint64_t ip = from; ip <= to && !err; ip += step) {
		e.ip = htonl((uint32_t)ip);
		err = e.ip == 0 ? SET_ERR_NULL : change_one(ch, &e);
	}
	return err;
}

static int
change_hash_ip_port(struct change *ch)
{
	const struct set_span *s = &ch->entry->span;
	struct set_elem e = {.proto = s->proto};
	uint32_t from, to;
	int err;

	if ((s->ip & ntohl(ch->d->params.mask)) == 0)
		return SET_ERR_INVALID;
	if (s->proto == 0)
		return SET_ERR_PROTO;
	err = change_addresses(s, ch->d->params.mask, &from, &to);
	for (uint64_t ip = from; ip <= to && !err; ip++) {
		e.ip = htonl((uint32_t)ip);
		err = change_ports(ch, &e);
	}
	return err;
}

/* The biggest network that begins at `from` and ends by `to`. => its prefix length. */
static uint8_t
range_network(uint32_t from, uint32_t to)
{
	uint8_t cidr = 1;

	while (cidr < 32 && (from & UINT32_MAX >> cidr || (from | UINT32_MAX >> cidr) > to))
		cidr++;
	return cidr;
}

static struct set_elem
entry_network(const struct set_entry *entry, uint32_t ip, uint8_t cidr)
{
	struct set_elem e = {.cidr = cidr, .wildcard = entry->wildcard, .nomatch = entry->nomatch};

	e.ip = cidr ? htonl(ip & UINT32_MAX << (32 - cidr)) : 0;
	memcpy(e.iface, entry->span.iface, sizeof(e.iface));
	return e;
}

static int
change_hash_net(struct change *ch)
{
	const struct set_span *s = &ch->entry->span;
	uint64_t from = s->ip < s->ip_to ? s->ip : s->ip_to, to = s->ip < s->ip_to ? s->ip_to : s->ip;
	struct set_elem e;
	int err = 0;

	if (s->cidr == 0 && ch->d->params.type == SET_HASH_NET)
		return SET_ERR_CIDR;
	if (!s->has_ip_to) {
		e = entry_network(ch->entry, s->ip, s->cidr);
		return change_one(ch, &e);
	}
	if (from == 0 && to == UINT32_MAX)
		return SET_ERR_WHOLE;
	while (from <= to && !err) {
		e = entry_network(ch->entry, (uint32_t)from, range_network((uint32_t)from, (uint32_t)to));
		err = change_one(ch, &e);
		from += 1ull << (32 - e.cidr);
	}
	return err;
}

/* The options of an element must be of a kind that the set has. */
static const char *
entry_wrong(const struct set_params *p, const struct set_entry *e)
{
	if (e->has_timeout && p->timeout == SET_NO_TIMEOUT)
		return "Timeout cannot be used: set was created without timeout support";
	if ((e->has_packets || e->has_bytes) && !p->counters)
		return "Packet/byte counters cannot be used: set was created without counter support";
	if (e->has_comment && !p->comment)
		return "Comment cannot be used: set was created without comment support";
	return NULL;
}

static struct set_ext
entry_ext(const struct set_params *p, const struct set_entry *e, uint64_t now)
{
	struct set_ext x = {.packets = e->packets, .bytes = e->bytes};
	uint64_t timeout = e->has_timeout ? e->timeout : (uint64_t)p->timeout;

	if (p->timeout != SET_NO_TIMEOUT && timeout != 0)
		x.expires = now + timeout * 1000000000;
	if (e->comment)
		x.comment = (char *)(uintptr_t)e->comment; /* copied by who keeps it */
	return x;
}

static int
change_run(struct run *r, const struct set_command *cmd, struct set_data *d, const struct set_entry *e)
{
	static int (*const changes[SET_TYPES])(struct change *ch) = {
		[SET_HASH_IP] = change_hash_ip,
		[SET_HASH_NET] = change_hash_net,
		[SET_HASH_IP_PORT] = change_hash_ip_port,
		[SET_HASH_NET_IFACE] = change_hash_net,
		[SET_BITMAP_PORT] = change_map,
	};
	struct change ch = {
		.run = r,
		.verb = cmd->verb,
		.exist = cmd->exist,
		.d = d,
		.entry = e,
		.ext = entry_ext(&d->params, e, r->now),
	};

	return complain_element(r, changes[d->params.type](&ch), cmd->verb);
}

/* The one element that a test asks for: the first of a range. => enum set_error. */
static int
test_elem(const struct set_params *p, const struct set_entry *entry, struct set_elem *e)
{
	const struct set_span *s = &entry->span;

	if (set_kind(p->type)->nets) {
		*e = entry_network(entry, s->ip, s->cidr);
		return s->cidr == 0 && p->type == SET_HASH_NET ? SET_ERR_CIDR : 0;
	}
	*e = (struct set_elem){.ip = htonl(s->ip) & p->mask, .port = (uint16_t)s->port, .proto = s->proto};
	if (p->type == SET_BITMAP_PORT)
		return e->port < p->first || e->port > p->last ? SET_ERR_OUTSIDE : 0;
	if (e->ip == 0)
		return p->type == SET_HASH_IP ? SET_ERR_NULL : SET_ERR_INVALID;
	return p->type == SET_HASH_IP_PORT && e->proto == 0 ? SET_ERR_PROTO : 0;
}

/* What a test may not ask for, in ipset's words. => NULL: it may. */
static const char *
test_wrong(enum set_type type, const struct set_span *s)
{
	if (s->port != s->port_to)
		return "FROM-TO port";
	if (s->has_ip_to && type != SET_HASH_IP)
		return "FROM-TO IP";
	return s->has_cidr && type == SET_HASH_IP_PORT ? "IP/CIDR" : NULL;
}

static int
run_test(struct run *r, const struct set_command *cmd, struct set_data *d, const struct set_entry *entry)
{
	const struct set_query q = {.now = r->now};
	const char *wrong = test_wrong(d->params.type, &entry->span);
	struct set_elem e;
	int err;

	if (wrong)
		return set_complain(&r->complaint,
			"%s range is not allowed in command test with set type %s and family %s", wrong,
			set_kind(d->params.type)->name,
			d->params.type == SET_BITMAP_PORT ? "unspec" : "inet");
	err = test_elem(&d->params, entry, &e);
	if (err && err != SET_ERR_OUTSIDE)
		return complain_element(r, err, cmd->verb);
	if (!err && set_data_test(d, &e, &q) == (entry->nomatch ? -1 : 1))
		return 0;
	return set_complain(&r->complaint, "%s is NOT in set %s.", cmd->elem, cmd->name);
}

static int
run_elements(struct run *r, struct set_command *cmd)
{
	struct set *s = set_list_find(r->list, cmd->name);
	struct set_entry entry;
	const char *wrong;

	if (!s)
		return set_complain(&r->complaint, "%s", NO_SUCH_SET);
	if (set_entry_parse(cmd, s->data->params.type, &entry, &r->complaint) < 0)
		return -EINVAL;
	wrong = entry_wrong(&s->data->params, &entry);
	if (wrong)
		return set_complain(&r->complaint, "%s", wrong);
	if (cmd->verb == VERB_TEST)
		return run_test(r, cmd, s->data, &entry);
	return change_run(r, cmd, s->data, &entry);
}

/* ---- runs ---- */

static int
run_line(struct run *r, char *line)
{
	struct set_command cmd;

	if (set_command_parse(line, &cmd, &r->complaint) < 0)
		return -EINVAL;
	switch (cmd.verb) {
	case VERB_NONE:
		return 0;
	case VERB_CREATE:
		return run_create(r, &cmd);
	case VERB_DESTROY:
	case VERB_FLUSH:
		return run_destroy_or_flush(r, &cmd);
	case VERB_RENAME:
		return run_rename(r, &cmd);
	case VERB_SWAP:
		return run_swap(r, &cmd);
	default:
		return run_elements(r, &cmd);
	}
}

/* What changed gets a new version; the caller's epoch tells who holds old ones. */
static void
list_settle(struct set_list *l, bool changed)
{
	for (uint32_t i = 0; i < l->n; i++) {
		struct set *s = l->sets[i];

		if (!s || !s->data->dirty)
			continue;
		s->data->dirty = false;
		if (changed)
			atomic_fetch_add_explicit(&s->version.n, 1, memory_order_release);
	}
}

/* `text` ends with a NUL and is written to. => 0 or an error with its line in *number. */
static int
run_lines(struct run *r, char *text, size_t len, unsigned *number)
{
	char *end = text + len, *next;
	int err = 0;

	for (*number = 1; text < end && !err; text = next, ++*number) {
		char *newline = memchr(text, '\n', (size_t)(end - text));

		next = newline ? newline + 1 : end;
		if (newline)
			*newline = '\0';
		if (strlen(text) != (size_t)((newline ? newline : end) - text))
			err = set_complain(&r->complaint, "a NUL byte, text was expected");
		else
			err = run_line(r, text);
	}
	--*number;
	return err;
}

int
sets_run(struct set_list *l, const char *text, size_t len, uint64_t now, char *why, size_t why_size)
{
	char words[256] = "";
	struct run r = {.list = l, .now = now, .complaint = {words, sizeof(words)}};
	char *copy = malloc(len + 1);
	unsigned line = 0;
	int err;

	r.log = sets_log_new();
	if (!copy || !r.log) {
		free(copy);
		if (r.log)
			sets_log_keep(r.log);
		snprintf(why, why_size, "%s", NO_MEMORY);
		return -ENOMEM;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	err = run_lines(&r, copy, len, &line);
	if (err) {
		snprintf(why, why_size, "line %u: %s", line, words);
		sets_log_undo(r.log);
	} else {
		sets_log_keep(r.log);
	}
	list_settle(l, err == 0);
	free(copy);
	return err;
}

/* ---- looking ---- */

static char *
sets_text(const struct set_list *l, const char *name, uint64_t now, bool list)
{
	struct set_print out = {0};
	bool any = false;

	set_print(&out, "%s", "");
	for (uint32_t i = 0; i < l->n; i++) {
		const struct set *s = l->sets[i];

		if (!s || (name && strcmp(s->name, name) != 0))
			continue;
		if (list && any)
			set_print(&out, "\n");
		any = true;
		if (list)
			set_print_list(&out, s->name, s->data, s->refs, now);
		else
			set_print_save(&out, s->name, s->data, now);
	}
	if (!out.failed && (any || !name))
		return out.text;
	free(out.text);
	errno = out.failed ? ENOMEM : ENOENT;
	return NULL;
}

char *
sets_save(const struct set_list *l, const char *name, uint64_t now)
{
	return sets_text(l, name, now, false);
}

char *
sets_list(const struct set_list *l, const char *name, uint64_t now)
{
	return sets_text(l, name, now, true);
}
