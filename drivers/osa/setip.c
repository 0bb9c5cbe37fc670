/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SETIP and DELIP: what the port answers, and how the LAN hears of it.
 *
 * An address that is new is tentative for osa_probe_time: the port asks the LAN for it by ARP probes, which change nobody's tables
 * (RFC 5227), and answers for it only afterwards, with an announcement. Packets for it are dispatched from the start. If a station of
 * the LAN has it, the registration ends with 0xe00a. A VIPA is never announced; a takeover is announced at once and asks nobody.
 */
#include "drivers/osa/inside.h"
#include "fabric/base/log.h"

#include <stdio.h>

static uint16_t
answered(struct osa_answer *answer, uint16_t code)
{
	answer->code = code;
	return code;
}

/* The limit of the profile that is reached; false: there is room. */
static bool
is_full(const struct adapter *a, uint16_t slot, struct osa_answer *answer)
{
	const struct osa_limits *l = osa_profile_limits(a->set.profile);

	if (l->addresses && oat_count(a->oat) >= l->addresses)
		snprintf(answer->holder, sizeof(answer->holder), "%u addresses of the port", l->addresses);
	else if (l->per_stack && oat_count_of(a->oat, slot) >= l->per_stack)
		snprintf(answer->holder, sizeof(answer->holder), "%u addresses of one stack", l->per_stack);
	return answer->holder[0] != '\0';
}

static uint16_t
take_over(struct adapter *a, struct env *env, struct sharer *s, struct oat_entry *e, uint8_t flags)
{
	struct sharer *before = a->sharers[e->sharer];
	struct osa_answer lost = {.code = OSA_DUPLICATE_ADDRESS};
	struct ip_addr addr = e->addr;

	memcpy(lost.holder, s->name, sizeof(lost.holder));
	oat_move(a->oat, e, s->slot, flags);
	e->since = env->now;
	setip_announce(a, env, e);
	adapter_changed(a, env);
	sharer_lost(before, &addr, &lost);
	return OSA_SUCCESS;
}

/* Somebody has the address. */
static uint16_t
contest(struct adapter *a, struct env *env, struct sharer *s, struct oat_entry *e, uint8_t flags, struct osa_answer *answer)
{
	if (e->sharer == s->slot)
		return OSA_ALREADY_RECEIVED;
	if (flags & OAT_TAKEOVER && !(e->flags & OAT_STATIC))
		return take_over(a, env, s, e, flags);
	memcpy(answer->holder, a->sharers[e->sharer]->name, sizeof(answer->holder));
	return OSA_DUPLICATE_ADDRESS;
}

static uint16_t
enter(struct adapter *a, struct env *env, struct sharer *s, const struct ip_addr *addr, uint8_t flags)
{
	struct oat_entry e = {.addr = *addr, .sharer = s->slot, .flags = flags, .since = env->now};

	if (oat_add(a->oat, &e) < 0)
		return OSA_NO_MEMORY;
	setip_announce(a, env, oat_find(a->oat, addr));
	adapter_changed(a, env);
	return a->network_up ? OSA_SUCCESS : OSA_LAN_OFFLINE;
}

uint16_t
adapter_setip(struct adapter *a, struct env *env, struct sharer *s, const struct ip_addr *addr, uint8_t flags,
		struct osa_answer *answer)
{
	struct oat_entry *e = oat_find(a->oat, addr);
	uint16_t code;

	*answer = (struct osa_answer){0};
	a->setips++;
	if (!s->active)
		code = OSA_NO_STARTLAN;
	else if (e)
		code = contest(a, env, s, e, flags, answer);
	else
		code = is_full(a, s->slot, answer) ? OSA_TABLE_FULL : enter(a, env, s, addr, flags);
	answer->code = code;
	if (code != OSA_SUCCESS && code != OSA_LAN_OFFLINE)
		adapter_refuse(a, env, addr, s, answer);
	return code;
}

uint16_t
adapter_delip(struct adapter *a, struct env *env, struct sharer *s, const struct ip_addr *addr)
{
	const struct oat_entry *e = oat_find(a->oat, addr);

	if (!e || e->sharer != s->slot || e->flags & OAT_STATIC)
		return OSA_NOT_REGISTERED;
	oat_del(a->oat, addr);
	adapter_changed(a, env);
	return OSA_SUCCESS;
}

uint16_t
adapter_static(struct adapter *a, struct env *env, struct sharer *s, const struct ip_addr *addr, struct osa_answer *answer)
{
	const struct oat_entry *e = oat_find(a->oat, addr);

	*answer = (struct osa_answer){0};
	if (e) {
		memcpy(answer->holder, a->sharers[e->sharer]->name, sizeof(answer->holder));
		return answered(answer, e->sharer == s->slot ? OSA_ALREADY_RECEIVED : OSA_DUPLICATE_ADDRESS);
	}
	if (is_full(a, s->slot, answer))
		return answered(answer, OSA_TABLE_FULL);
	return answered(answer, enter(a, env, s, addr, OAT_STATIC));
}

/* The timer comes back for every entry that is still tentative. */
static void
wait_for_objections(struct adapter *a, struct env *env, struct oat_entry *e, uint64_t wait)
{
	if (!timer_armed(&a->probe_timer) && timer_arm(env->timers, &a->probe_timer, env->now + wait) < 0)
		return;
	e->flags |= OAT_TENTATIVE;
	e->since = env->now;
	assist_probe(a, env, &e->addr);
}

void
setip_announce(struct adapter *a, struct env *env, struct oat_entry *e)
{
	uint64_t wait = tune_ns(&a->stack.tunables, TUNE_OSA_PROBE_TIME);

	e->flags &= (uint8_t)~OAT_TENTATIVE;
	if (!adapter_assists(a) || !a->network_up || e->flags & OAT_VIPA || e->addr.family != AF_INET)
		return;
	if (!(e->flags & OAT_TAKEOVER) && wait)
		wait_for_objections(a, env, e, wait);
	else
		assist_announce(a, env, &e->addr);
}

void
setip_announce_all(struct adapter *a, struct env *env)
{
	size_t n;
	struct oat_entry *list = oat_entries(a->oat, &n);

	for (size_t i = 0; i < n; i++)
		setip_announce(a, env, &list[i]);
}

/* Entries come in bursts, so that few looks at the table serve many. */
void
setip_on_timer(struct timer *t, struct env *env)
{
	struct adapter *a = (struct adapter *)((char *)t - offsetof(struct adapter, probe_timer));
	uint64_t wait = tune_ns(&a->stack.tunables, TUNE_OSA_PROBE_TIME), next = UINT64_MAX;
	size_t n;
	struct oat_entry *list = oat_entries(a->oat, &n);

	for (size_t i = 0; i < n; i++) {
		if (!(list[i].flags & OAT_TENTATIVE))
			continue;
		if (list[i].since + wait > env->now) {
			next = list[i].since + wait < next ? list[i].since + wait : next;
			continue;
		}
		list[i].flags &= (uint8_t)~OAT_TENTATIVE;
		if (a->network_up)
			assist_announce(a, env, &list[i].addr);
	}
	if (next != UINT64_MAX)
		timer_arm(env->timers, t, next);
}

void
setip_withdraw(struct adapter *a, struct env *env, const struct ip_addr *addr, const struct mac_addr *who)
{
	struct osa_answer why = {.code = OSA_USED_ON_LAN};
	const struct oat_entry *e = oat_find(a->oat, addr);
	struct ip_addr lost = *addr;
	struct sharer *s;

	if (!e || !(e->flags & OAT_TENTATIVE))
		return;
	s = a->sharers[e->sharer];
	mac_text(who, why.holder);
	oat_del(a->oat, &lost);
	adapter_changed(a, env);
	adapter_refuse(a, env, &lost, s, &why);
	sharer_lost(s, &lost, &why);
}

/* => whether there were any. The last entry takes the place of one that goes, and has been looked at. */
static bool
delete_all(struct adapter *a, bool (*is_one)(const struct oat_entry *e, uint16_t slot), uint16_t slot)
{
	size_t n;
	struct oat_entry *list = oat_entries(a->oat, &n);
	bool found = false;

	for (size_t i = n; i-- > 0;) {
		struct ip_addr addr = list[i].addr;

		if (is_one(&list[i], slot))
			found = oat_del(a->oat, &addr) == 0;
	}
	return found;
}

static bool
is_of(const struct oat_entry *e, uint16_t slot)
{
	return e->sharer == slot;
}

static bool
is_registered_by(const struct oat_entry *e, uint16_t slot)
{
	return e->sharer == slot && !(e->flags & OAT_STATIC);
}

static bool
is_static(const struct oat_entry *e, uint16_t slot)
{
	(void)slot;
	return e->flags & OAT_STATIC;
}

void
setip_end(struct adapter *a, struct env *env, uint16_t slot, bool all)
{
	if (delete_all(a, all ? is_of : is_registered_by, slot))
		adapter_changed(a, env);
}

void
adapter_clear_static(struct adapter *a, struct env *env)
{
	if (delete_all(a, is_static, SHARER_NONE))
		adapter_changed(a, env);
}
