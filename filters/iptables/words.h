/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of iptables-save's text, cut into words. */
#ifndef FILTERS_IPTABLES_WORDS_H
#define FILTERS_IPTABLES_WORDS_H

#include <stddef.h>

enum { WORDS_MAX = 254, WORD_LEN_MAX = 1023 };

/*
 * Cuts `line` in place, at blanks and tabs; "..." keeps them, a backslash in it keeps the next
 * character, and its end is the end of a word.
 * => how many are at `words` (room for WORDS_MAX), -1: more than that, -2: one of them is longer
 * than WORD_LEN_MAX.
 */
int words_cut(char *line, char **words);

#endif
