/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why something failed, as the one sentence that its user will read. */
#ifndef FABRIC_KEEPER_FAULT_H
#define FABRIC_KEEPER_FAULT_H

struct fault {
	char text[1024];
};

/* Replaces the sentence. => rc, so that a caller can return it. `f` may be NULL. */
int fault_set(struct fault *f, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Puts words before the sentence that is there. => rc */
int fault_prefix(struct fault *f, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
