/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/bundle.h"

#include "fabric/base/huge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the file: `magic`, then for each item a head and its bytes. Host byte order: it never leaves the host. */
struct head {
	char node[NODE_NAME];
	uint8_t kind;
	uint64_t len;
};

static const char magic[8] = "rkyrules";

void
bundle_fini(struct bundle *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->items[i].bytes);
	free(b->items);
	*b = (struct bundle){0};
}

static struct bundle_item *
find(const struct bundle *b, const char *node, enum bundle_kind kind)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->items[i].kind == kind && strcasecmp(b->items[i].node, node) == 0)
			return &b->items[i];
	}
	return NULL;
}

const struct bundle_item *
bundle_get(const struct bundle *b, const char *node, enum bundle_kind kind)
{
	return find(b, node, kind);
}

static void
take_out(struct bundle *b, struct bundle_item *item)
{
	free(item->bytes);
	*item = b->items[--b->n];
}

/* Takes `bytes`. */
static int
put_in(struct bundle *b, const char *node, enum bundle_kind kind, uint8_t *bytes, size_t len)
{
	struct bundle_item *items = reallocarray(b->items, b->n + 1, sizeof(*items));

	if (!items) {
		free(bytes);
		return -ENOMEM;
	}
	b->items = items;
	items[b->n] = (struct bundle_item){.kind = (uint8_t)kind, .bytes = bytes, .len = len, .size = len, .whole = len};
	memcpy(items[b->n].node, node, strnlen(node, NODE_NAME - 1));
	b->n++;
	return 0;
}

static uint8_t *
copy(const void *bytes, size_t len)
{
	uint8_t *to = malloc(len + 1);

	if (to) {
		memcpy(to, bytes, len);
		to[len] = '\0'; /* texts are used as such */
	}
	return to;
}

int
bundle_set(struct bundle *b, const char *node, enum bundle_kind kind, const void *bytes, size_t len)
{
	struct bundle_item *item = find(b, node, kind);
	uint8_t *own = bytes ? copy(bytes, len) : NULL;

	if (bytes && !own)
		return -ENOMEM;
	if (!bytes) {
		if (item)
			take_out(b, item);
		return 0;
	}
	if (!item)
		return put_in(b, node, kind, own, len);
	free(item->bytes);
	item->bytes = own;
	item->len = item->size = item->whole = len;
	return 0;
}

int
bundle_append(struct bundle *b, const char *node, enum bundle_kind kind, const void *bytes, size_t len)
{
	struct bundle_item *item = find(b, node, kind);
	uint8_t *grown;
	size_t size;

	if (!item)
		return bundle_set(b, node, kind, bytes, len);
	if (item->size - item->len < len) {
		size = item->len + len + item->len / 2;
		grown = realloc(item->bytes, size + 1);
		if (!grown)
			return -ENOMEM;
		item->bytes = grown;
		item->size = size;
	}
	memcpy(item->bytes + item->len, bytes, len);
	item->len += len;
	item->bytes[item->len] = '\0';
	return 0;
}

static int
write_all(int fd, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len > 0) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
finish(int fd, int rc)
{
	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int
bundle_write(const struct bundle *b)
{
	int fd = memfd_create("rules", MFD_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	rc = write_all(fd, magic, sizeof(magic));
	for (size_t i = 0; rc == 0 && i < b->n; i++) {
		struct head h;

		memset(&h, 0, sizeof(h));
		memcpy(h.node, b->items[i].node, sizeof(h.node));
		h.kind = b->items[i].kind;
		h.len = b->items[i].len;
		rc = write_all(fd, &h, sizeof(h));
		if (rc == 0)
			rc = write_all(fd, b->items[i].bytes, b->items[i].len);
	}
	return finish(fd, rc);
}

int
bytes_write(const void *bytes, size_t len)
{
	int fd = memfd_create("rules", MFD_CLOEXEC);

	return fd < 0 ? -errno : finish(fd, write_all(fd, bytes, len));
}

static int
read_all(int fd, uint8_t *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = pread(fd, to + at, len - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG; /* cut short meanwhile */
		at += (size_t)n;
	}
	return 0;
}

int
bytes_read(int fd, uint8_t **bytes, size_t *len)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_size > BUNDLE_MAX)
		return -EFBIG;
	*len = (size_t)st.st_size;
	*bytes = huge_alloc(*len + 1);
	if (!*bytes)
		return -ENOMEM;
	(*bytes)[*len] = '\0';
	rc = read_all(fd, *bytes, *len);
	if (rc < 0)
		free(*bytes);
	return rc;
}

static int
split(const uint8_t *bytes, size_t len, struct bundle *b)
{
	size_t at = sizeof(magic);
	int rc = 0;

	if (len < at || memcmp(bytes, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	while (rc == 0 && at < len) {
		struct head h;

		if (len - at < sizeof(h))
			return -EBADMSG;
		memcpy(&h, bytes + at, sizeof(h));
		at += sizeof(h);
		if (h.len > len - at || h.kind >= BUNDLE_KINDS || !memchr(h.node, '\0', sizeof(h.node)) || find(b, h.node, h.kind))
			return -EBADMSG;
		rc = bundle_set(b, h.node, h.kind, bytes + at, h.len);
		at += h.len;
	}
	return rc;
}

int
bundle_read(int fd, struct bundle *b)
{
	uint8_t *bytes;
	size_t len;
	int rc = bytes_read(fd, &bytes, &len);

	*b = (struct bundle){0};
	if (rc < 0)
		return rc;
	rc = split(bytes, len, b);
	free(bytes);
	if (rc < 0)
		bundle_fini(b);
	return rc;
}
