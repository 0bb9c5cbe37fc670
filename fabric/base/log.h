/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: one line an event, "2026-11-22T15:50:25.123Z level area: text", to standard error, which the
 * keeper points at the log file. Lines of threads do not mix: each is one write(2).
 */
#ifndef FABRIC_BASE_LOG_H
#define FABRIC_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* Lines above this level are not written. Default LOG_INFO. Set before threads start, or from one thread. */
void log_set_level(enum log_level level);
/* "error", "warning", "notice", "info", "debug". => false when `text` is none of them. */
bool log_level_parse(const char *text, enum log_level *out);
/* `area` is one word: keeper, engine, link, ... The text has no newline. */
void log_line(enum log_level level, const char *area, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

#endif
