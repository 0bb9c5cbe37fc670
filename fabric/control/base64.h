/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Base64 with padding and without line breaks (RFC 4648 section 4), for bytes in JSON. */
#ifndef FABRIC_CONTROL_BASE64_H
#define FABRIC_CONTROL_BASE64_H

#include <stddef.h>
#include <sys/types.h>

/* Characters of `len` encoded bytes, without a NUL; bytes that `len` characters hold at most. */
#define BASE64_ENCODED(len) (((len) + 2) / 3 * 4)
#define BASE64_DECODED(len) (((len) + 3) / 4 * 3)

/* Writes BASE64_ENCODED(len) characters and a NUL to `text`. => the number of characters. */
size_t base64_encode(const void *data, size_t len, char *text);
/*
 * Decodes exactly `len` characters; `data` holds at least BASE64_DECODED(len) bytes.
 * => the number of bytes, or -EINVAL: a length that is no multiple of 4, a character of another
 * alphabet, padding before the end, or left-over bits that are not zero.
 */
ssize_t base64_decode(const char *text, size_t len, void *data);

#endif
