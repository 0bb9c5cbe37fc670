/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What FTP says of its data connections (RFC 959, RFC 2428), as bytes; private to helper_ftp*.c and
 * their tests. */
#ifndef FILTERS_HELPER_FTP_H
#define FILTERS_HELPER_FTP_H

#include "filters/conntrack.h"

enum ftp_form { FTP_PORT, FTP_EPRT, FTP_PASV, FTP_EPSV };

enum {
	FTP_LINE = 1024, /* so much of a segment is looked at */
	FTP_TEXT = 32,   /* room for what ftp_write() writes */
};

struct ftp_address {
	enum ftp_form form;
	uint32_t at, len; /* where it stands in the text, delimiters of EPRT and EPSV included */
	bool has_addr;    /* EPSV names none */
	uint32_t addr;    /* network byte order */
	uint16_t port;    /* host byte order */
};

enum ftp_found {
	FTP_NOTHING,
	FTP_FOUND,
	FTP_PARTIAL, /* it begins like one, and is not whole or not right */
};

/* Looks for one at the begin of `len` bytes that a line begins with; `dir` says who speaks. */
enum ftp_found ftp_find(const char *text, uint32_t len, enum ct_dir dir, struct ftp_address *out);
/* => the length of the same with another address and port. */
uint32_t ftp_write(enum ftp_form form, uint32_t addr, uint16_t port, char out[FTP_TEXT]);

#endif
