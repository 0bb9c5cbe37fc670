/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Router roles of a port: who gets what nobody has registered. IPv4 and IPv6 apart. A role stays with its holder while its stack
 * is down (PRI-3, PRI-4); who of the holders is elected is worked out at each change, so that a packet reads one number.
 */
#include "drivers/osa/inside.h"

#include <errno.h>
#include <stdio.h>

enum rank { RANK_NONE, RANK_PRIMARY, RANK_SECONDARY, RANK_MULTICAST };

/* SETRTG's types: what each is, and on which kind of port. A connector is a HiperSockets LAN's router. */
static const struct role {
	enum rank rank;
	bool osa, hipersockets;
} roles[] = {
	[OSA_NO_ROUTER] = {RANK_NONE, true, true},
	[OSA_PRIMARY_ROUTER] = {RANK_PRIMARY, true, false},
	[OSA_SECONDARY_ROUTER] = {RANK_SECONDARY, true, false},
	[OSA_MULTICAST_ROUTER] = {RANK_MULTICAST, true, true},
	[OSA_PRIMARY_CONNECTOR] = {RANK_PRIMARY, false, true},
	[OSA_SECONDARY_CONNECTOR] = {RANK_SECONDARY, false, true},
};

static bool
is_accepted(const struct adapter *a, enum osa_role role)
{
	bool hipersockets = a->set.profile == OSA_PROFILE_HIPERSOCKETS;

	if ((unsigned)role > OSA_SECONDARY_CONNECTOR)
		return false;
	if (roles[role].rank == RANK_MULTICAST && !hipersockets)
		return a->set.multicast_router;
	return hipersockets ? roles[role].hipersockets : roles[role].osa;
}

static uint16_t
elected(const struct adapter *a, enum osa_protocol p)
{
	if (a->primary[p] != SHARER_NONE && sharer_is_active(a, a->primary[p]))
		return a->primary[p];
	for (unsigned i = 0; i < a->n_secondaries[p]; i++) {
		if (sharer_is_active(a, a->secondaries[p][i]))
			return a->secondaries[p][i];
	}
	return SHARER_NONE;
}

void
adapter_elect(struct adapter *a)
{
	for (int p = 0; p < OSA_PROTOCOLS; p++)
		a->elected[p] = elected(a, (enum osa_protocol)p);
}

static void
leave_role(struct adapter *a, struct sharer *s, enum osa_protocol p)
{
	unsigned kept = 0;

	if (a->primary[p] == s->slot)
		a->primary[p] = SHARER_NONE;
	for (unsigned i = 0; i < a->n_secondaries[p]; i++) {
		if (a->secondaries[p][i] != s->slot)
			a->secondaries[p][kept++] = a->secondaries[p][i];
	}
	a->n_secondaries[p] = kept;
	s->role[p] = OSA_NO_ROUTER;
}

void
role_end(struct adapter *a, struct sharer *s)
{
	for (int p = 0; p < OSA_PROTOCOLS; p++)
		leave_role(a, s, (enum osa_protocol)p);
}

/* => who has the last place of this rank that `s` would need; SHARER_NONE: there is one free. */
static uint16_t
in_the_way(const struct adapter *a, const struct sharer *s, enum osa_protocol p, enum rank rank)
{
	unsigned n = a->n_secondaries[p];

	if (rank == RANK_PRIMARY && a->primary[p] != s->slot)
		return a->primary[p];
	if (rank != RANK_SECONDARY || n < a->set.secondaries)
		return SHARER_NONE;
	for (unsigned i = 0; i < n; i++) {
		if (a->secondaries[p][i] == s->slot)
			return SHARER_NONE;
	}
	return a->secondaries[p][n - 1];
}

static void
take_role(struct adapter *a, struct sharer *s, enum osa_protocol p, enum osa_role role)
{
	leave_role(a, s, p);
	if (roles[role].rank == RANK_PRIMARY)
		a->primary[p] = s->slot;
	if (roles[role].rank == RANK_SECONDARY)
		a->secondaries[p][a->n_secondaries[p]++] = s->slot;
	s->role[p] = role;
}

static int
refuse(struct osa_answer *answer, uint16_t code, const char *holder)
{
	answer->code = code;
	snprintf(answer->holder, sizeof(answer->holder), "%s", holder);
	return osa_code_errno(code);
}

int
adapter_role(struct adapter *a, struct env *env, struct sharer *s, enum osa_protocol protocol, enum osa_role role,
		struct osa_answer *answer)
{
	struct osa_answer mine, *to = answer ? answer : &mine;
	uint16_t holder;
	int rc = 0;

	*to = (struct osa_answer){0};
	if (!is_accepted(a, role)) {
		rc = refuse(to, OSA_INVALID_ROLE, "");
		role = OSA_NO_ROUTER;
	}
	if (s->role[protocol] == role)
		return rc;
	holder = in_the_way(a, s, protocol, roles[role].rank);
	if (holder != SHARER_NONE)
		return refuse(to, roles[role].rank == RANK_PRIMARY ? OSA_PRIMARY_DEFINED : OSA_SECONDARY_DEFINED,
				a->sharers[holder]->name);
	take_role(a, s, protocol, role);
	adapter_elect(a);
	adapter_changed(a, env);
	return rc;
}
