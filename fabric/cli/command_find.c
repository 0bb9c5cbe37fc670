/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands by their words. */
#include "fabric/cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Length of word `index` of a path, *word set to its start; 0: the path has fewer. */
static size_t
path_word(const char *path, size_t index, const char **word)
{
	while (index-- > 0) {
		path += strcspn(path, " ");
		if (*path == '\0')
			return 0;
		path++;
	}
	*word = path;
	return strcspn(path, " ");
}

/* How well a row answers the words: 0 not, 1 with a word cut short, 2 exactly. *used: how many match. */
static int
path_match(const char *path, char *const *words, size_t n, size_t *used)
{
	int quality = 2;
	const char *word;
	size_t len;

	for (*used = 0; (len = path_word(path, *used, &word)) > 0; (*used)++) {
		size_t have;

		if (*used == n)
			return 0;
		have = strlen(words[*used]);
		if (have == 0 || have > len || strncmp(word, words[*used], have) != 0)
			return 0;
		if (have < len)
			quality = 1;
	}
	return quality;
}

/*
 * Words as they are go before words cut short, then more words before fewer: "lab stop" is not "lab" with
 * a file of that name.
 */
int
command_find(const struct command *table, char *const *words, size_t n,
		const struct command **found)
{
	size_t best_used = 0, used;
	int best = 0;
	bool twice = false;

	*found = NULL;
	for (const struct command *c = table; c->path; c++) {
		int quality = path_match(c->path, words, n, &used);

		if (quality == 0 || (c->hidden && quality < 2))
			continue;
		if (quality > best || (quality == best && used > best_used)) {
			best = quality;
			best_used = used;
			*found = c;
			twice = false;
		} else if (quality == best && used == best_used) {
			twice = true;
		}
	}
	if (twice)
		return -EINVAL;
	return *found ? (int)best_used : 0;
}

size_t
command_next_words(const struct command *table, char *const *words, size_t known, char (*out)[WORD_SIZE])
{
	size_t n = 0, used, len;
	const char *word;

	for (const struct command *c = table; c->path && n < NEXT_WORDS_MAX; c++) {
		if (c->hidden || (path_match(c->path, words, known, &used), used != known))
			continue;
		len = path_word(c->path, known, &word);
		if (len > 0)
			snprintf(out[n++], WORD_SIZE, "%.*s", (int)len, word);
	}
	return n;
}
