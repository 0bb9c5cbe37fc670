/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As find_pattern() of nf_conntrack_ftp.c takes texts apart, but that numbers that do not fit are
 * no numbers: there 266,0,0,1 is the address 10.0.0.1.
 */
#include "filters/helper_ftp.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

/* What is left to read. */
struct cursor {
	const char *at;
	uint32_t left;
};

static bool
next(struct cursor *k, char *c)
{
	if (k->left == 0)
		return false;
	*c = *k->at++;
	k->left--;
	return true;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * `n` numbers up to `most` with `sep` between them, the cursor behind what ended the last: `end`, or
 * with 0 anything. An empty number is 0.
 */
static bool
read_numbers(struct cursor *k, uint32_t *out, unsigned n, uint32_t most, char sep, char end)
{
	unsigned i = 0;
	char c;

	memset(out, 0, n * sizeof(*out));
	while (next(k, &c)) {
		if (is_digit(c)) {
			out[i] = out[i] * 10 + (uint32_t)(c - '0');
			if (out[i] > most)
				return false;
		} else if (c == sep && i < n - 1) {
			i++;
		} else {
			return i == n - 1 && (c == end || !end);
		}
	}
	return false;
}

static uint32_t
address(const uint32_t b[4])
{
	return htonl(b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3]);
}

/* 192,168,1,1,5,6 and what ends it. => its length without that, 0: none. */
static uint32_t
read_six(struct cursor k, struct ftp_address *out, char end)
{
	const char *begin = k.at;
	uint32_t n[6];

	if (!read_numbers(&k, n, 6, UINT8_MAX, ',', end))
		return 0;
	out->has_addr = true;
	out->addr = address(n);
	out->port = (uint16_t)(n[4] << 8 | n[5]);
	return (uint32_t)(k.at - begin) - 1;
}

static uint32_t
read_port(struct cursor k, struct ftp_address *out)
{
	return read_six(k, out, '\r');
}

/* Servers write it with and without brackets (RFC 1123 4.1.2.6): the first digit begins it. */
static uint32_t
read_pasv(struct cursor k, struct ftp_address *out)
{
	while (k.left > 0 && !is_digit(*k.at)) {
		k.at++;
		k.left--;
		out->at++;
	}
	return read_six(k, out, 0);
}

static bool
is_delimiter(char c)
{
	return c >= 33 && c <= 126 && !is_digit(c);
}

/* The port up to the delimiter. => the length from `begin` on, 0: none. */
static uint32_t
read_last(struct cursor *k, const char *begin, char delimiter, struct ftp_address *out)
{
	uint32_t port;

	if (!read_numbers(k, &port, 1, UINT16_MAX, '\0', delimiter) || port == 0)
		return 0;
	out->port = (uint16_t)port;
	return (uint32_t)(k->at - begin);
}

/* |1|132.235.1.2|6275| */
static uint32_t
read_eprt(struct cursor k, struct ftp_address *out)
{
	const char *begin = k.at;
	uint32_t n[4];
	char d;

	if (k.left <= 3 || !is_delimiter(begin[0]) || begin[1] != '1' || begin[2] != begin[0])
		return 0;
	d = begin[0];
	k.at += 3;
	k.left -= 3;
	if (!read_numbers(&k, n, 4, UINT8_MAX, '.', d))
		return 0;
	out->has_addr = true;
	out->addr = address(n);
	return read_last(&k, begin, d, out);
}

/* |||6275| */
static uint32_t
read_epsv(struct cursor k, struct ftp_address *out)
{
	const char *begin = k.at;
	char d;

	if (k.left <= 3 || !is_delimiter(begin[0]) || begin[1] != begin[0] || begin[2] != begin[0])
		return 0;
	d = begin[0];
	k.at += 3;
	k.left -= 3;
	return read_last(&k, begin, d, out);
}

static const struct pattern {
	const char *word;
	char skip; /* what it begins behind; 0: behind the word */
	enum ftp_form form;
	uint32_t (*read)(struct cursor k, struct ftp_address *out);
} patterns[2][2] = {
	[CT_DIR_ORIGINAL] = {{"PORT", ' ', FTP_PORT, read_port}, {"EPRT", ' ', FTP_EPRT, read_eprt}},
	[CT_DIR_REPLY] = {{"227 ", 0, FTP_PASV, read_pasv}, {"229 ", '(', FTP_EPSV, read_epsv}},
};

static enum ftp_found
find(const struct pattern *p, const char *text, uint32_t len, struct ftp_address *out)
{
	uint32_t word = (uint32_t)strlen(p->word), at = word;

	if (strncasecmp(text, p->word, len < word ? len : word) != 0)
		return FTP_NOTHING;
	if (len <= word)
		return FTP_PARTIAL;
	if (p->skip) {
		const char *skip = memchr(text + word, p->skip, len - word);

		if (!skip)
			return FTP_PARTIAL;
		at = (uint32_t)(skip - text) + 1;
	}
	*out = (struct ftp_address){.form = p->form, .at = at};
	out->len = p->read((struct cursor){text + at, len - at}, out);
	return out->len > 0 ? FTP_FOUND : FTP_PARTIAL;
}

enum ftp_found
ftp_find(const char *text, uint32_t len, enum ct_dir dir, struct ftp_address *out)
{
	enum ftp_found found = FTP_NOTHING;
	unsigned i;

	for (i = 0; i < 2 && len > 0 && found == FTP_NOTHING; i++)
		found = find(&patterns[dir][i], text, len, out);
	return found;
}

uint32_t
ftp_write(enum ftp_form form, uint32_t addr, uint16_t port, char out[FTP_TEXT])
{
	uint8_t b[4];

	memcpy(b, &addr, sizeof(b));
	switch (form) {
	case FTP_EPRT:
		return (uint32_t)snprintf(
			out, FTP_TEXT, "|1|%u.%u.%u.%u|%u|", b[0], b[1], b[2], b[3], port);
	case FTP_EPSV:
		return (uint32_t)snprintf(out, FTP_TEXT, "|||%u|", port);
	default:
		return (uint32_t)snprintf(out, FTP_TEXT, "%u,%u,%u,%u,%u,%u", b[0], b[1], b[2],
			b[3], port >> 8, port & 0xff);
	}
}
