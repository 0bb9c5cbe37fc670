/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pieces of help that the manual page is made of too. */
#ifndef FABRIC_CLI_HELP_H
#define FABRIC_CLI_HELP_H

#include "fabric/cli/command.h"

#include <stdio.h>

/* "rookery add route ROUTER PREFIX (via ADDRESS | discard)", without a newline. */
void help_synopsis(const struct command *c, FILE *to);
/* "-c, --count N" */
void help_option(const struct arg *a, char *buf, size_t size);
/* One paragraph, filled to `width` columns, each paragraph's first line after `indent`. */
void help_paragraph(const char *text, size_t len, const char *indent, size_t width, FILE *to);

#endif
