/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/nflog.h"

#include "fabric/base/csum.h"
#include "fabric/base/log.h"
#include "fabric/base/pkt_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Numbers of pcapng. */
enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	SECTION_MAGIC = 0x1a2b3c4d,
	LINKTYPE_IPV4 = 228, /* libpcap 1.10 reads one interface of 101, raw IP, but not a second */
	OPTION_COMMENT = 1,
	OPTION_IF_NAME = 2,
	OPTION_IF_DESCRIPTION = 3,
	OPTION_IF_TSRESOL = 9,
	OPTION_PACKET_FLAGS = 2,
	DIRECTION_IN = 1,
	DIRECTION_OUT = 2,
};

enum { SOURCES = 256, OPTIONS_MAX = 256 };

/* An interface of the file. */
struct source {
	char name[32];
	uint16_t group;
};

struct nflog {
	int fd, notify;
	uint8_t *buffer, *spare;
	size_t used;
	uint64_t size; /* of the file, with what is in the buffer */
	uint64_t lost;
	bool section; /* there is one that the sources belong to */
	bool full, told;
	bool broken; /* control thread: the file takes nothing any more */
	uint32_t n_sources;
	struct source sources[SOURCES];
};

int
nflog_open(const char *run_dir)
{
	char path[4096];
	int fd, n = snprintf(path, sizeof(path), "%s/nflog.pcapng", run_dir);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

struct nflog *
nflog_new(int fd, int notify)
{
	struct nflog *n = calloc(1, sizeof(*n));
	struct stat st;

	if (!n || fstat(fd, &st) < 0) {
		free(n);
		close(fd);
		return NULL;
	}
	n->fd = fd;
	n->notify = notify;
	n->size = (uint64_t)st.st_size;
	n->buffer = malloc(NFLOG_BUFFER);
	n->spare = malloc(NFLOG_BUFFER);
	if (n->buffer && n->spare)
		return n;
	nflog_free(n);
	errno = ENOMEM;
	return NULL;
}

static void
write_out(struct nflog *n, const uint8_t *data, size_t len)
{
	while (len && !n->broken) {
		ssize_t done = write(n->fd, data, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			n->broken = true;
			log_line(LOG_ERROR, "nflog", "cannot write packets of NFLOG: %s",
				strerror(errno));
			return;
		}
		data += done;
		len -= (size_t)done;
	}
}

void
nflog_free(struct nflog *n)
{
	if (!n)
		return;
	write_out(n, n->buffer, n->used);
	close(n->fd);
	free(n->buffer);
	free(n->spare);
	free(n);
}

static size_t
padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

/* Appends to a block in the making. The caller has seen to the room. */
static uint8_t *
put(uint8_t *at, const void *data, size_t len)
{
	memcpy(at, data, len);
	memset(at + len, 0, padded(len) - len);
	return at + padded(len);
}

static uint8_t *
put32(uint8_t *at, uint32_t value)
{
	return put(at, &value, sizeof(value));
}

static uint8_t *
put_option(uint8_t *at, uint16_t code, const void *data, size_t len)
{
	uint16_t head[2] = {code, (uint16_t)len};

	return put(put(at, head, sizeof(head)), data, len);
}

/* The end of a block that began at `block`: its length, at both ends. => bytes of it. */
static size_t
end_block(uint8_t *block, uint8_t *at)
{
	uint32_t len = (uint32_t)(at - block) + 4;

	put32(at, len);
	put32(block + 4, len);
	return len;
}

static size_t
section_block(uint8_t *b)
{
	static const uint16_t version[2] = {1, 0};
	static const uint64_t unknown_length = UINT64_MAX;
	uint8_t *at = put32(b, BLOCK_SECTION) + 4;

	at = put32(at, SECTION_MAGIC);
	at = put(at, version, sizeof(version));
	at = put(at, &unknown_length, sizeof(unknown_length));
	return end_block(b, at);
}

static size_t
interface_block(uint8_t *b, const struct source *s)
{
	static const uint16_t link[2] = {LINKTYPE_IPV4, 0};
	static const uint8_t nanoseconds = 9;
	char description[32];
	uint8_t *at = put32(b, BLOCK_INTERFACE) + 4;

	snprintf(description, sizeof(description), "NFLOG group %u", s->group);
	at = put(at, link, sizeof(link));
	at = put32(at, 0); /* no limit to the length */
	at = put_option(at, OPTION_IF_NAME, s->name, strlen(s->name));
	at = put_option(at, OPTION_IF_DESCRIPTION, description, strlen(description));
	at = put_option(at, OPTION_IF_TSRESOL, &nanoseconds, sizeof(nanoseconds));
	at = put32(at, 0); /* end of options */
	return end_block(b, at);
}

/* What is left to the device to fill in is filled in, as far as the copy is whole and one packet.
 */
static void
complete_checksum(uint8_t *data, uint32_t len, const struct pkt *p)
{
	size_t start = p->csum_start, at = start + p->csum_offset;
	uint16_t sum;

	if (!(p->flags & PKT_CSUM_PARTIAL) || pkt_is_gso(p) || len < pkt_len(p) ||
		at + sizeof(sum) > len)
		return;
	sum = (uint16_t)~csum_fold(csum_add(0, data + start, len - start));
	memcpy(data + at, &sum, sizeof(sum));
}

static size_t
packet_block(uint8_t *b, uint32_t source, const struct pkt *p, const char *prefix, uint32_t len)
{
	uint32_t flags = p->in ? DIRECTION_IN : DIRECTION_OUT;
	uint8_t *at = put32(b, BLOCK_PACKET) + 4, *data;
	struct timespec t;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &t);
	ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	at = put32(at, source);
	at = put32(at, (uint32_t)(ns >> 32));
	at = put32(at, (uint32_t)ns);
	at = put32(at, len);
	at = put32(at, pkt_len(p));
	data = at;
	pkt_chain_read(p, 0, data, len);
	complete_checksum(data, len, p);
	memset(data + len, 0, padded(len) - len);
	at = data + padded(len);
	if (prefix[0])
		at = put_option(at, OPTION_COMMENT, prefix, strlen(prefix));
	at = put_option(at, OPTION_PACKET_FLAGS, &flags, sizeof(flags));
	at = put32(at, 0);
	return end_block(b, at);
}

static void
add_block(struct nflog *n, size_t len)
{
	n->used += len;
	n->size += len;
}

static void
source_of(const struct pkt *p, uint16_t group, struct source *s)
{
	const struct iface *i = p->in ? p->in : p->out;

	*s = (struct source){.group = group};
	snprintf(s->name, sizeof(s->name), "%s:%s", p->router->name, i ? i->name : "");
}

/* The number of the source in the file's section, which begins anew when there are too many. */
static uint32_t
find_source(struct nflog *n, const struct source *s)
{
	if (!n->section || n->n_sources == SOURCES) {
		add_block(n, section_block(n->buffer + n->used));
		n->section = true;
		n->n_sources = 0;
	}
	for (uint32_t i = 0; i < n->n_sources; i++) {
		if (n->sources[i].group == s->group && strcmp(n->sources[i].name, s->name) == 0)
			return i;
	}
	n->sources[n->n_sources] = *s;
	add_block(n, interface_block(n->buffer + n->used, s));
	return n->n_sources++;
}

void
nflog_packet(struct nflog *n, const struct pkt *p, uint16_t group, const char *prefix, uint32_t len)
{
	struct source s;
	uint32_t source;
	size_t most;

	len = RTE_MIN(len, pkt_len(p));
	most = padded(len) + 3 * OPTIONS_MAX; /* with a section and an interface before it */
	n->full |= n->size + most > NFLOG_FILE_MAX;
	if (n->full || n->used + most > NFLOG_BUFFER) {
		n->lost++;
		if (n->full && !n->told)
			eventfd_write(n->notify, 1);
		return;
	}
	if (n->used == 0)
		eventfd_write(n->notify, 1);
	source_of(p, group, &s);
	source = find_source(n, &s);
	add_block(n, packet_block(n->buffer + n->used, source, p, prefix, len));
}

void
nflog_flush(struct nflog *n, struct worker *control)
{
	uint8_t *data;
	size_t used;
	bool tell;

	slow_lock(control);
	data = n->buffer;
	used = n->used;
	n->buffer = n->spare;
	n->spare = data;
	n->used = 0;
	tell = n->full && !n->told;
	n->told = n->full;
	slow_unlock(control);
	write_out(n, data, used);
	if (tell)
		log_line(LOG_WARNING, "nflog",
			"nflog.pcapng has %u MB: no more packets are written to it",
			NFLOG_FILE_MAX >> 20);
}

uint64_t
nflog_lost(const struct nflog *n)
{
	return n->lost;
}
