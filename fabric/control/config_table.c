/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The static table of an OSE port as a file: a line an address, beside the configuration that names it. */
#include "fabric/control/config_osa.h"
#include "fabric/control/config_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORDS_MAX = 3, ENTRIES_MAX = 65536, TEXT_MAX = 4 << 20 };

/* Cuts the line into its words. => their number, at most WORDS_MAX + 1 */
static int
words_of(char *line, char *words[WORDS_MAX])
{
	int n = 0;
	char *rest;

	for (char *w = strtok_r(line, " \t\r\n", &rest); w; w = strtok_r(NULL, " \t\r\n", &rest)) {
		if (n < WORDS_MAX)
			words[n] = w;
		if (++n > WORDS_MAX)
			break;
	}
	return n;
}

int
cfg_table_line(char *line, struct cfg_oat_static *out)
{
	char *words[WORDS_MAX], *first = line + strspn(line, " \t");
	int n;

	*out = (struct cfg_oat_static){0};
	if (*first == '*' || *first == ';')
		return 0;
	line[strcspn(line, "#")] = '\0';
	n = words_of(line, words);
	if (n == 0)
		return 0;
	if (n < 2 || n > WORDS_MAX || ip_parse(words[0], &out->addr) < 0 || strlen(words[1]) >= NODE_NAME)
		return -EINVAL;
	memcpy(out->node, words[1], strlen(words[1]) + 1);
	if (n == WORDS_MAX && strlen(words[2]) >= IFACE_NAME)
		return -EINVAL;
	if (n == WORDS_MAX)
		memcpy(out->iface, words[2], strlen(words[2]) + 1);
	return 1;
}

/* The name as it stands, or from the directory of the configuration. */
static const char *
path_beside(struct cfg_reader *r, const char *name)
{
	const char *slash = strrchr(r->origin, '/');
	size_t len = slash ? (size_t)(slash - r->origin) + 1 : 0;
	char *path;

	if (name[0] == '/' || !slash)
		return name;
	path = cfg_alloc(&r->scratch, len + strlen(name) + 1);
	memcpy(path, r->origin, len);
	strcpy(path + len, name);
	return path;
}

/* Nothing is allocated while it is open: cfg_alloc() may leave by longjmp(). => the text; NULL with errno */
static char *
read_beside(struct cfg_reader *r, const char *name)
{
	const char *path = path_beside(r, name);
	struct stat st;
	char *text;
	ssize_t n;
	int fd;

	if (stat(path, &st) < 0)
		return NULL;
	errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
	if (!S_ISREG(st.st_mode) || st.st_size > TEXT_MAX)
		return NULL;
	text = cfg_alloc(&r->scratch, (size_t)st.st_size + 1);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	n = read(fd, text, (size_t)st.st_size);
	close(fd);
	return n < 0 ? NULL : text;
}

/* The file may hold anything: the line is not quoted. => false when there is no more room. */
static bool
take_line(struct cfg_reader *r, const struct cfg_yaml *name, char *line, unsigned number, struct cfg_osa *o)
{
	struct cfg_oat_static e, *grown;
	char text[CFG_QUOTE];
	int rc = cfg_table_line(line, &e);

	if (rc < 0) {
		cfg_error(r, name->at, "line %u of %s is no entry, expected ADDRESS NODE [INTERFACE]", number, cfg_quote(name->text, text));
		return r->errs->total <= CFG_ERRORS_MAX;
	}
	if (rc == 0)
		return true;
	if ((o->n_table & (o->n_table - 1)) == 0) {
		grown = cfg_alloc(r->keep, (o->n_table ? o->n_table * 2 : 1) * sizeof(*grown));
		if (o->n_table)
			memcpy(grown, o->table, o->n_table * sizeof(*grown));
		o->table = grown;
	}
	e.at = name->at;
	o->table[o->n_table++] = e;
	return o->n_table < ENTRIES_MAX;
}

void
cfg_read_table_file(struct cfg_reader *r, const struct cfg_yaml *name, struct cfg_osa *o)
{
	char *text, *line, word[CFG_QUOTE];
	unsigned number = 0;

	if (!cfg_word(r, "table", name))
		return;
	errno = EINVAL;
	text = r->files ? read_beside(r, name->text) : NULL;
	if (!text) {
		cfg_error(r, name->at, "%s cannot be read (%s), expected the entries themselves, or a file beside the configuration",
			cfg_quote(name->text, word), r->files ? strerror(errno) : "this text is in no file");
		return;
	}
	o->table_file = true;
	do
		line = strsep(&text, "\n");
	while (take_line(r, name, line, ++number, o) && text);
}
