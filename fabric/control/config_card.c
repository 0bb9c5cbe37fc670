/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cards of 2001: which there were, on which machine, in which mode, with which network types (requirements OSA-1 to OSA-7). How much they
 * hold, their profile (osa.h) says.
 */
#include "fabric/control/config_reader.h"

#include <string.h>
#include <strings.h>

enum { G5 = 1, G6 = 2, ZSERIES = 4, ALL_MACHINES = 7 };
enum { QDIO = 1 << OSA_QDIO, OSE = 1 << OSA_OSE, DEDICATED = 1 << OSA_DEDICATED };

static const struct card {
	const char *name;
	unsigned machines, modes;
	const char *reason; /* why not the others */
} cards[] = {
	{"osa2-ethernet", G5 | G6, OSE | DEDICATED, "zSeries has its OSA-2 for Ethernet and token ring as token ring only"},
	{"osa2-tokenring", ALL_MACHINES, OSE | DEDICATED, "an OSA-2 is driven by LCS only"},
	{"osa2-fastethernet", G5 | G6, OSE | DEDICATED, "zSeries has no OSA-2 for Fast Ethernet"},
	{"osa2-fddi", ALL_MACHINES, OSE | DEDICATED, "an OSA-2 is driven by LCS only"},
	{"osa2-atm", G5 | G6, OSE | DEDICATED, "zSeries has no OSA-2 for ATM"},
	{"express-gigabit", ALL_MACHINES, QDIO | DEDICATED, "OSA-Express Gigabit Ethernet is QDIO only"},
	{"express-fastethernet", ALL_MACHINES, QDIO | OSE | DEDICATED, ""},
	{"express-atm", ALL_MACHINES, OSE | DEDICATED, "OSA-Express ATM does QDIO only as LAN emulation (express-atm-lane)"},
	{"express-atm-lane", ALL_MACHINES, QDIO | OSE | DEDICATED, ""},
};

static const char lcs_only[] = "an OSA-2 is driven by LCS only";

static const struct {
	const char *name, *title;
	unsigned bit;
} machines[] = {{"g5", "G5", G5}, {"g6", "G6", G6}, {"zseries", "zSeries", ZSERIES}};

/* Network types, by the mode that has them. */
static const struct {
	const char *name;
	unsigned modes;
} types[] = {
	{"FastEthernet", QDIO | DEDICATED},
	{"FE", QDIO | DEDICATED},
	{"GigabitEthernet", QDIO | DEDICATED},
	{"GB", QDIO | DEDICATED},
	{"Ethernet", OSE | DEDICATED},
	{"802.3", OSE | DEDICATED},
	{"TokenRing", OSE | DEDICATED},
	{"TR", OSE | DEDICATED},
	{"FDDI", OSE | DEDICATED},
};

static const struct card *
find_card(const char *name)
{
	for (size_t i = 0; i < CFG_COUNT(cards); i++) {
		if (strcmp(cards[i].name, name) == 0)
			return &cards[i];
	}
	return NULL;
}

static const char *
card_name(const void *list, size_t i)
{
	return ((const struct card *)list)[i].name;
}

static const struct card *
read_card(struct cfg_reader *r, const struct cfg_yaml *v)
{
	const struct card *found;
	char text[CFG_QUOTE], hint[CFG_HINT];

	if (!cfg_word(r, "card", v))
		return NULL;
	found = find_card(v->text);
	if (found)
		return found;
	cfg_hint(r, v->text, card_name, cards, CFG_COUNT(cards), hint);
	cfg_error(r, v->at, "'%s' is no value of card%s", cfg_quote(v->text, text),
		hint[0] ? hint : ", expected a card like express-gigabit or osa2-fddi");
	return NULL;
}

/* => its bit; 0: reported. */
static unsigned
read_machine(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_osa *o)
{
	char text[CFG_QUOTE];

	if (!v) {
		o->machine = "zseries";
		return ZSERIES;
	}
	if (!cfg_word(r, "machine", v))
		return 0;
	for (size_t i = 0; i < CFG_COUNT(machines); i++) {
		if (strcasecmp(v->text, machines[i].name) == 0) {
			o->machine = machines[i].name;
			return machines[i].bit;
		}
	}
	cfg_error(r, v->at, "'%s' is no value of machine, expected g5, g6 or zseries", cfg_quote(v->text, text));
	return 0;
}

static void
read_type(struct cfg_reader *r, const struct cfg_yaml *v, struct cfg_osa *o)
{
	char text[CFG_QUOTE];

	if (!cfg_word(r, "type", v))
		return;
	for (size_t i = 0; i < CFG_COUNT(types); i++) {
		if (strcasecmp(v->text, types[i].name) == 0 && types[i].modes & (1u << o->mode)) {
			o->type = types[i].name;
			return;
		}
	}
	cfg_error(r, v->at, "'%s' is no network type of mode %s, expected %s", cfg_quote(v->text, text), osa_mode_word(o->mode),
		o->mode == OSA_QDIO ? "FastEthernet, FE, GigabitEthernet or GB" : "Ethernet, 802.3, TokenRing, TR or FDDI");
}

static bool
is_osa2(const struct card *card)
{
	return strncmp(card->name, "osa2-", 5) == 0;
}

static enum osa_profile
profile_of(const struct card *card, unsigned machine)
{
	return is_osa2(card) ? OSA_PROFILE_OSA2 : machine == ZSERIES ? OSA_PROFILE_ZSERIES : OSA_PROFILE_G5;
}

static void
check_card(struct cfg_reader *r, struct cfg_mark at, const struct card *card, unsigned machine, const struct cfg_osa *o)
{
	if (!(card->machines & machine))
		cfg_error(r, at, "%s is not on %s, expected another card: %s", card->name, machines[machine / 2].title, card->reason);
	else if (!(card->modes & (1u << o->mode)))
		cfg_error(r, at, "%s does not work in mode %s, expected %s: %s", card->name, osa_mode_word(o->mode),
			o->mode == OSA_QDIO ? "ose" : "qdio", is_osa2(card) ? lcs_only : card->reason);
}

void
cfg_read_card(struct cfg_reader *r, const struct cfg_yaml *kind, const struct cfg_yaml *machine, const struct cfg_yaml *type,
	const struct cfg_yaml *profile, struct cfg_osa *o)
{
	const struct card *card;
	unsigned bit;

	if (type)
		read_type(r, type, o);
	if (machine && !kind)
		cfg_error(r, machine->at, "adapter %s has a machine and no card, expected 'card' too", o->name);
	if (kind && profile)
		cfg_error(r, profile->at, "adapter %s has a card and a profile, expected one of them: the profile follows from the card", o->name);
	card = kind ? read_card(r, kind) : NULL;
	bit = card ? read_machine(r, machine, o) : 0;
	if (!bit)
		return;
	o->card = card->name;
	o->profile = profile_of(card, bit);
	check_card(r, kind->at, card, bit, o);
}

bool
cfg_mtu_of_osa(uint32_t mtu)
{
	/* the source prints 8902 for 8992 */
	static const uint16_t sizes[] = {576, 1492, 1500, 2000, 4096, 4352, 8902, 8992};

	for (size_t i = 0; i < CFG_COUNT(sizes); i++) {
		if (mtu == sizes[i])
			return true;
	}
	return false;
}
