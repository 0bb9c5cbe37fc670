/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
fault_set(struct fault *f, int rc, const char *format, ...)
{
	va_list ap;

	if (f == NULL)
		return rc;
	va_start(ap, format);
	vsnprintf(f->text, sizeof(f->text), format, ap);
	va_end(ap);
	return rc;
}

int
fault_prefix(struct fault *f, int rc, const char *format, ...)
{
	struct fault tail;
	size_t n;
	va_list ap;

	if (f == NULL)
		return rc;
	tail = *f;
	va_start(ap, format);
	vsnprintf(f->text, sizeof(f->text), format, ap);
	va_end(ap);
	n = strlen(f->text);
	snprintf(f->text + n, sizeof(f->text) - n, "%.*s", (int)(sizeof(f->text) - n - 1),
		tail.text);
	return rc;
}
