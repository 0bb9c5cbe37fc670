/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the manual that no table holds. */
#ifndef FABRIC_CLI_MAN_PAGES_H
#define FABRIC_CLI_MAN_PAGES_H

struct man_section {
	const char *title;
	const char *text; /* paragraphs, separated by an empty line */
};

/* Each ends with a NULL title. */
extern const struct man_section man_rookery_head[], man_rookery_tail[];
extern const struct man_section man_yaml_head[], man_yaml_tail[];
extern const struct man_section man_rookeryd_text[], man_keeper_text[];

#endif
