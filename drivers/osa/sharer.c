/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stack wants registered, and whether the port has it.
 *
 * A wanted entry is one address of one kind. Its life (Linux qeth_l3_main.c):
 *
 *	online:  added -> SETIP, three tries -> registered; or refused and forgotten; or, with 0xe005, wanted but not registered
 *	offline: added -> waits (DISPOSITION_ADD); deleted -> waits if the port had it (DISPOSITION_DELETE)
 *	comes online: replayed in the order of the list
 *
 * Normal entries are counted: the same address may be wanted by the policy, by the link hook and by hand. Entries of two kinds for one
 * address share one registration.
 */
#include "drivers/osa/sharer.h"

#include "drivers/osa/adapter.h"
#include "fabric/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRIES = 3 };

struct sharer *
sharer_new(const char *name)
{
	struct sharer *s = calloc(1, sizeof(*s));

	if (s)
		snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

void
sharer_free(struct sharer *s)
{
	if (!s)
		return;
	sharer_settings_fini(&s->set);
	free(s->wanted);
	free(s->asked);
	free(s->seen);
	free(s->groups);
	free(s);
}

static struct wanted *
find(const struct sharer *s, const struct ip_addr *addr, enum osa_entry kind)
{
	for (size_t i = 0; i < s->n_wanted; i++) {
		if (s->wanted[i].kind == kind && ip_equal(&s->wanted[i].addr, addr))
			return &s->wanted[i];
	}
	return NULL;
}

const struct wanted *
sharer_wanted(const struct sharer *s, const struct ip_addr *addr, enum osa_entry kind)
{
	return find(s, addr, kind);
}

/* The port has the address for this sharer because of an entry other than `w`. */
static bool
registered_otherwise(const struct sharer *s, const struct wanted *w)
{
	for (size_t i = 0; i < s->n_wanted; i++) {
		if (&s->wanted[i] != w && s->wanted[i].registered && ip_equal(&s->wanted[i].addr, &w->addr))
			return true;
	}
	return false;
}

static void
forget(struct sharer *s, struct wanted *w)
{
	size_t after = s->n_wanted - (size_t)(w - s->wanted) - 1;

	memmove(w, w + 1, after * sizeof(*w));
	s->n_wanted--;
}

static struct wanted *
append(struct sharer *s, const struct ip_addr *addr, enum osa_entry kind)
{
	if (s->n_wanted == s->size_wanted) {
		size_t size = s->size_wanted ? s->size_wanted * 2 : 8;
		struct wanted *more = realloc(s->wanted, size * sizeof(*more));

		if (!more)
			return NULL;
		s->wanted = more;
		s->size_wanted = size;
	}
	s->wanted[s->n_wanted] = (struct wanted){.addr = *addr, .kind = kind, .refs = 1, .disposition = DISPOSITION_ADD};
	return &s->wanted[s->n_wanted++];
}

static uint8_t
flags_of(const struct sharer *s, const struct wanted *w)
{
	if (w->kind == OSA_VIPA)
		return OAT_VIPA;
	if (w->kind == OSA_RXIP || takeover_covers(&s->set.takeover, &w->addr))
		return OAT_TAKEOVER;
	return 0;
}

static void
log_failure(const struct sharer *s, const struct wanted *w, const struct osa_answer *a)
{
	char addr[ADDR_TEXT], why[160];

	log_line(LOG_WARNING, "osa", "%s: %s: Registering IP address %s failed: %s", s->adapter->name, s->name,
			ip_text(&w->addr, addr), osa_answer_text(a, why, sizeof(why)));
}

/* => false: refused for good, `w` is to be forgotten. */
static bool
setip(struct sharer *s, struct env *env, struct wanted *w, struct osa_answer *a)
{
	uint16_t before = w->code;

	w->disposition = DISPOSITION_NONE;
	*a = (struct osa_answer){0};
	for (int i = 0; i < TRIES && !registered_otherwise(s, w); i++) {
		adapter_setip(s->adapter, env, s, &w->addr, flags_of(s, w), a);
		if (a->code == OSA_SUCCESS || a->code == OSA_LAN_OFFLINE)
			break;
	}
	w->code = a->code;
	memcpy(w->holder, a->holder, sizeof(w->holder));
	w->registered = a->code == OSA_SUCCESS || a->code == OSA_LAN_OFFLINE;
	if (!w->registered && a->code != before)
		log_failure(s, w, a);
	return w->registered || a->code == OSA_DUPLICATE_ADDRESS;
}

static bool
may_be_registered(const struct ip_addr *a)
{
	static const struct ip_addr none6 = {.family = AF_INET6};

	if (a->family == AF_INET)
		return a->v4 != 0 && a->v4 != INADDR_BROADCAST && !ip4_is_multicast(a->v4) && !ip4_is_loopback(a->v4);
	return a->family == AF_INET6 && a->v6[0] != 0xff && memcmp(a->v6, none6.v6, 16) != 0;
}

/* Was to go when the sharer comes online; now it stays. Or counted once more. => 0 or -errno. */
static int
add_again(struct sharer *s, struct env *env, struct wanted *w, struct osa_answer *a)
{
	if (w->disposition == DISPOSITION_DELETE) {
		w->disposition = DISPOSITION_NONE;
		w->refs = 1;
		return 0;
	}
	if (w->kind != OSA_NORMAL)
		return -EEXIST;
	w->refs++;
	if (s->active && !w->registered)
		setip(s, env, w, a);
	return w->code == OSA_LAN_OFFLINE ? 0 : osa_code_errno(w->code);
}

int
sharer_add(struct sharer *s, struct env *env, const struct ip_addr *addr, enum osa_entry kind, struct osa_answer *answer)
{
	struct osa_answer mine, *a = answer ? answer : &mine;
	struct wanted *w = find(s, addr, kind);
	int rc;

	*a = (struct osa_answer){0};
	if (!may_be_registered(addr))
		return -EINVAL;
	if (w)
		return add_again(s, env, w, a);
	w = append(s, addr, kind);
	if (!w) {
		a->code = OSA_NO_MEMORY;
		return -ENOMEM;
	}
	if (!s->adapter || !s->active)
		return 0;
	if (!setip(s, env, w, a))
		forget(s, w);
	rc = osa_code_errno(a->code);
	return a->code == OSA_LAN_OFFLINE ? 0 : rc;
}

int
sharer_del(struct sharer *s, struct env *env, const struct ip_addr *addr, enum osa_entry kind)
{
	struct wanted *w = find(s, addr, kind);

	if (!w || w->disposition == DISPOSITION_DELETE)
		return -ENOENT;
	if (w->refs > 1) {
		w->refs--;
		return 0;
	}
	if (!s->adapter || !s->active) {
		if (w->disposition == DISPOSITION_ADD)
			forget(s, w);
		else
			w->disposition = DISPOSITION_DELETE;
		return 0;
	}
	if (w->registered && !registered_otherwise(s, w))
		adapter_delip(s->adapter, env, s, addr);
	forget(s, w);
	return 0;
}

void
sharer_lost(struct sharer *s, const struct ip_addr *addr, const struct osa_answer *why)
{
	for (size_t i = s->n_wanted; i-- > 0;) {
		struct wanted *w = &s->wanted[i];

		if (!ip_equal(&w->addr, addr))
			continue;
		w->registered = false;
		w->code = why->code;
		memcpy(w->holder, why->holder, sizeof(w->holder));
		if (s->adapter)
			log_failure(s, w, why);
		if (why->code != OSA_DUPLICATE_ADDRESS)
			forget(s, w);
	}
}

void
sharer_retry(struct sharer *s, struct env *env)
{
	struct osa_answer a;

	for (size_t i = 0; s->adapter && s->active && i < s->n_wanted;) {
		struct wanted *w = &s->wanted[i];

		if (w->disposition == DISPOSITION_DELETE || (!w->registered && !setip(s, env, w, &a)))
			forget(s, w);
		else
			i++;
	}
}

static int
by_entry(const void *x, const void *y)
{
	const struct asked *a = x, *b = y;
	int order = ip_order(&a->addr, &b->addr);

	return order ? order : (int)a->kind - (int)b->kind;
}

/* Calls `f` for each entry of `list` that is not in `other`; both are sorted. An address that is there twice counts once. */
static void
for_each_missing(struct sharer *s, struct env *env, const struct asked *list, size_t n, const struct asked *other, size_t m,
		void (*f)(struct sharer *s, struct env *env, const struct asked *a))
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (i && by_entry(&list[i - 1], &list[i]) == 0)
			continue;
		while (k < m && by_entry(&other[k], &list[i]) < 0)
			k++;
		if (k == m || by_entry(&other[k], &list[i]) != 0)
			f(s, env, &list[i]);
	}
}

static void
release_one(struct sharer *s, struct env *env, const struct asked *a)
{
	sharer_del(s, env, &a->addr, a->kind);
}

static void
ask_one(struct sharer *s, struct env *env, const struct asked *a)
{
	sharer_add(s, env, &a->addr, a->kind, NULL);
}

void
sharer_release(struct sharer *s, struct env *env, struct asked *list, size_t n)
{
	if (n)
		qsort(list, n, sizeof(*list), by_entry);
	for_each_missing(s, env, s->asked, s->n_asked, list, n, release_one);
}

void
sharer_ask(struct sharer *s, struct env *env, struct asked *list, size_t n)
{
	if (n)
		qsort(list, n, sizeof(*list), by_entry);
	for_each_missing(s, env, list, n, s->asked, s->n_asked, ask_one);
	free(s->asked);
	s->asked = list;
	s->n_asked = n;
}

void
sharer_online(struct sharer *s, struct env *env, bool online)
{
	if (!s->adapter || s->active == online)
		return;
	adapter_activity(s->adapter, env, s, online);
	for (size_t i = 0; i < s->n_wanted && !online; i++)
		s->wanted[i].registered = false;
	if (online)
		sharer_retry(s, env);
}

static struct ip_addr *
find_group(const struct sharer *s, const struct ip_addr *group)
{
	for (size_t i = 0; i < s->n_groups; i++) {
		if (ip_equal(&s->groups[i], group))
			return &s->groups[i];
	}
	return NULL;
}

bool
sharer_hears(const struct sharer *s, const struct ip_addr *group)
{
	static const uint8_t all6[16] = {0xff, 0x02, [15] = 1};
	bool everyone = group->family == AF_INET ? group->v4 == htonl(INADDR_ALLHOSTS_GROUP) : memcmp(group->v6, all6, 16) == 0;
	enum osa_protocol protocol = group->family == AF_INET6 ? OSA_IPV6 : OSA_IPV4;

	return s->n_groups == 0 || everyone || s->role[protocol] == OSA_MULTICAST_ROUTER || find_group(s, group);
}

static bool
is_group(const struct ip_addr *a)
{
	return a->family == AF_INET ? ip4_is_multicast(a->v4) : a->family == AF_INET6 && a->v6[0] == 0xff;
}

static int
answer_code(struct osa_answer *answer, uint16_t code)
{
	if (answer)
		*answer = (struct osa_answer){.code = code};
	return osa_code_errno(code);
}

int
sharer_join(struct sharer *s, const struct ip_addr *group, struct osa_answer *answer)
{
	struct ip_addr *more;

	if (!is_group(group))
		return -EINVAL;
	if (find_group(s, group))
		return answer_code(answer, OSA_GROUP_DEFINED);
	more = realloc(s->groups, (s->n_groups + 1) * sizeof(*more));
	if (!more)
		return answer_code(answer, OSA_NO_MEMORY);
	s->groups = more;
	s->groups[s->n_groups++] = *group;
	return answer_code(answer, OSA_SUCCESS);
}

int
sharer_leave(struct sharer *s, const struct ip_addr *group, struct osa_answer *answer)
{
	struct ip_addr *g = find_group(s, group);

	if (!g)
		return answer_code(answer, OSA_GROUP_NOT_FOUND);
	*g = s->groups[--s->n_groups];
	return answer_code(answer, OSA_SUCCESS);
}
