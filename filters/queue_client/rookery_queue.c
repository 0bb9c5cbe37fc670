/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol: frames of a 32-bit length in network byte order and as many bytes of JSON, over the
 * engine's Unix socket. This file needs nothing else of Rookery, so that a program can take it
 * along.
 */
#include "rookery_queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_MAX = 1 << 20, PACKET_MAX = 65535, HEADER = 4, ANSWER_MS = 10000 };

struct rookery_queue {
	int fd;
	uint8_t header[HEADER];
	uint8_t *frame;
	size_t have, len; /* bytes of header and frame received, and length of the frame once the
			     header is there */
	uint8_t data[PACKET_MAX + 3];
};

static void __attribute__((format(printf, 3, 4)))
explain(char *why, size_t size, const char *format, ...)
{
	va_list args;

	if (!why || size == 0)
		return;
	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* => a string to free(), NULL: ENOMEM. */
static char *
encode(const uint8_t *b, size_t len)
{
	char *text = malloc((len + 2) / 3 * 4 + 1), *at = text;

	for (size_t i = 0; text && i < len; i += 3) {
		uint32_t w = (uint32_t)b[i] << 16 | (i + 1 < len ? b[i + 1] << 8 : 0) |
			     (i + 2 < len ? b[i + 2] : 0);

		*at++ = digits[w >> 18];
		*at++ = digits[w >> 12 & 63];
		*at++ = i + 1 < len ? digits[w >> 6 & 63] : '=';
		*at++ = i + 2 < len ? digits[w & 63] : '=';
	}
	if (text)
		*at = '\0';
	return text;
}

/* => bytes, at most PACKET_MAX; -1: it is no base64, or too long. */
static int
decode(const char *text, uint8_t *out)
{
	size_t len = strlen(text), n = 0;

	if (len % 4 || len / 4 * 3 > PACKET_MAX + 2)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t w = 0;

		for (size_t k = 0; k < 4; k++) {
			const char *digit = text[i + k] == '=' && i + 4 == len && k > 1
						    ? digits
						    : strchr(digits, text[i + k]);

			if (!digit)
				return -1;
			w = w << 6 | (uint32_t)(digit - digits);
		}
		out[n++] = (uint8_t)(w >> 16);
		out[n++] = (uint8_t)(w >> 8);
		out[n++] = (uint8_t)w;
	}
	n -= len && text[len - 1] == '=';
	n -= len && text[len - 2] == '=';
	return n <= PACKET_MAX ? (int)n : -1;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* => 1, 0: nothing yet, -errno. */
static int
wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left = deadline < 0 ? -1 : deadline - now_ms();
	int n = poll(&p, 1, deadline < 0 ? -1 : left > 0 ? (int)left : 0);

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	return n;
}

static int
send_frame(struct rookery_queue *q, const char *text)
{
	size_t len = strlen(text), done = 0;
	uint8_t *frame = malloc(HEADER + len);
	uint32_t header = htonl((uint32_t)len);
	int rc = 0;

	if (!frame)
		return -ENOMEM;
	memcpy(frame, &header, HEADER);
	memcpy(frame + HEADER, text, len);
	while (rc == 0 && done < HEADER + len) {
		ssize_t n = send(q->fd, frame + done, HEADER + len - done, MSG_NOSIGNAL);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			rc = wait_for(q->fd, POLLOUT, -1) < 0 ? -errno : 0;
		else if (errno != EINTR)
			rc = -errno;
	}
	free(frame);
	return rc;
}

/* Takes the message. */
static int
send_message(struct rookery_queue *q, json_t *msg)
{
	char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
	int rc = text ? send_frame(q, text) : -ENOMEM;

	free(text);
	json_decref(msg);
	return rc;
}

/* Takes what is there of the header or the frame, never of the next one: so the descriptor tells
 * the truth. => 1: whole, 0: not yet, -errno. */
static int
receive_some(struct rookery_queue *q)
{
	bool in_header = q->have < HEADER;
	uint8_t *to = in_header ? q->header + q->have : q->frame + (q->have - HEADER);
	size_t want = in_header ? HEADER - q->have : HEADER + q->len - q->have;
	ssize_t n = recv(q->fd, to, want, MSG_DONTWAIT);
	uint32_t len;

	if (n == 0)
		return -EPIPE;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	q->have += (size_t)n;
	if (in_header && q->have == HEADER) {
		memcpy(&len, q->header, HEADER);
		q->len = ntohl(len);
		if (q->len == 0 || q->len > FRAME_MAX)
			return -EPROTO;
	}
	return q->have == HEADER + q->len;
}

/* => 1 with *msg, 0: none came in time, -errno. */
static int
receive(struct rookery_queue *q, json_t **msg, int timeout_ms)
{
	int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	int rc;

	while ((rc = receive_some(q)) == 0) {
		rc = wait_for(q->fd, POLLIN, deadline);
		if (rc <= 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	q->have = 0;
	*msg = json_loadb((const char *)q->frame, q->len, 0, NULL);
	return *msg ? 1 : -EPROTO;
}

/* A session's directory may be inherited across su(1): it counts only when it is ours. */
static bool
is_ours(const char *dir)
{
	struct stat st;

	return dir && dir[0] == '/' && stat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

/* Where the engine of a fabric listens: as `rookery` finds it. */
static int
socket_path(const char *fabric, char *path, size_t size)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	int n;

	if (strchr(fabric, '/'))
		n = snprintf(path, size, "%s", fabric);
	else if (geteuid() == 0)
		n = snprintf(path, size, "/run/rookery/%s/engine.sock", fabric);
	else if (is_ours(run))
		n = snprintf(path, size, "%s/rookery/%s/engine.sock", run, fabric);
	else
		n = snprintf(
			path, size, "/tmp/rookery-%u/%s/engine.sock", (unsigned)geteuid(), fabric);
	return n >= 0 && (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static int
connect_to(const char *fabric, char *why, size_t size)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd, rc = socket_path(fabric, to.sun_path, sizeof(to.sun_path));

	if (rc < 0) {
		explain(why, size, "the path of the socket of %s is too long", fabric);
		return rc;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	rc = -errno;
	explain(why, size, "cannot reach the engine of %s at %s: %s", fabric, to.sun_path,
		strerror(-rc));
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Asks for the queue. => 0 or -errno. */
static int
bind_queue(struct rookery_queue *q, const char *router, uint16_t number, uint32_t copy, char *why,
	size_t size)
{
	json_t *answer = NULL;
	const char *error;
	int rc = send_message(q, json_pack("{s:s, s:s, s:i, s:I}", "op", "queue", "node", router,
					 "number", (int)number, "copy", (json_int_t)copy));

	if (rc == 0)
		rc = receive(q, &answer, ANSWER_MS);
	if (rc <= 0) {
		rc = rc == 0 ? -ETIMEDOUT : rc;
		explain(why, size, "the engine does not answer: %s", strerror(-rc));
		return rc;
	}
	error = json_string_value(json_object_get(answer, "error"));
	rc = json_is_true(json_object_get(answer, "ok")) ? 0 : -ECONNREFUSED;
	if (rc < 0)
		explain(why, size, "%s", error ? error : "the engine refuses");
	json_decref(answer);
	return rc;
}

struct rookery_queue *
rookery_queue_open_copy(const char *fabric, const char *router, uint16_t number, uint32_t copy,
	char *why, size_t why_size)
{
	struct rookery_queue *q = calloc(1, sizeof(*q));
	int rc;

	if (!q)
		return NULL;
	q->frame = malloc(FRAME_MAX);
	q->fd = q->frame ? connect_to(fabric, why, why_size) : -ENOMEM;
	rc = q->fd < 0 ? q->fd : bind_queue(q, router, number, copy, why, why_size);
	if (rc == 0)
		return q;
	rookery_queue_close(q);
	errno = -rc;
	return NULL;
}

struct rookery_queue *
rookery_queue_open(
	const char *fabric, const char *router, uint16_t number, char *why, size_t why_size)
{
	return rookery_queue_open_copy(fabric, router, number, PACKET_MAX, why, why_size);
}

void
rookery_queue_close(struct rookery_queue *q)
{
	if (!q)
		return;
	if (q->fd >= 0)
		close(q->fd);
	free(q->frame);
	free(q);
}

int
rookery_queue_fd(const struct rookery_queue *q)
{
	return q->fd;
}

static void
copy_name(const json_t *msg, const char *key, char *to, size_t size)
{
	const char *name = json_string_value(json_object_get(msg, key));

	snprintf(to, size, "%s", name ? name : "");
}

static uint64_t
number_of(const json_t *msg, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(msg, key));
}

/* => 1, or -EPROTO. */
static int
read_packet(struct rookery_queue *q, const json_t *msg, struct rookery_packet *p)
{
	const char *data = json_string_value(json_object_get(msg, "data"));
	int n = data ? decode(data, q->data) : -1;

	if (n < 0 || !json_is_integer(json_object_get(msg, "id")))
		return -EPROTO;
	*p = (struct rookery_packet){
		.id = number_of(msg, "id"),
		.time_ns = number_of(msg, "ts_ns"),
		.mark = (uint32_t)number_of(msg, "mark"),
		.len = (size_t)number_of(msg, "len"),
		.data = q->data,
		.data_len = (size_t)n,
		.gso_size = (unsigned)number_of(msg, "gso"),
	};
	copy_name(msg, "hook", p->hook, sizeof(p->hook));
	copy_name(msg, "in", p->in, sizeof(p->in));
	copy_name(msg, "out", p->out, sizeof(p->out));
	return 1;
}

int
rookery_queue_next(struct rookery_queue *q, struct rookery_packet *p, int timeout_ms)
{
	json_t *msg = NULL;
	int rc = receive(q, &msg, timeout_ms);

	if (rc <= 0)
		return rc;
	rc = read_packet(q, msg, p);
	json_decref(msg);
	return rc;
}

static const char *const words[] = {
	[ROOKERY_ACCEPT] = "accept",
	[ROOKERY_DROP] = "drop",
	[ROOKERY_REPEAT] = "repeat",
	[ROOKERY_QUEUE] = "queue",
};

int
rookery_queue_answer(struct rookery_queue *q, const struct rookery_answer *a)
{
	char *data = NULL;
	json_t *msg;

	if ((unsigned)a->verdict >= sizeof(words) / sizeof(*words) ||
		(a->data && (a->data_len == 0 || a->data_len > PACKET_MAX)))
		return -EINVAL;
	msg = json_pack("{s:s, s:I, s:s}", "op", "verdict", "id", (json_int_t)a->id, "verdict",
		words[a->verdict]);
	if (msg && a->verdict == ROOKERY_QUEUE)
		json_object_set_new(msg, "number", json_integer(a->number));
	if (msg && a->set_mark)
		json_object_set_new(msg, "mark", json_integer(a->mark));
	if (msg && a->data) {
		data = encode(a->data, a->data_len);
		if (!data || json_object_set_new(msg, "data", json_string(data)) < 0) {
			json_decref(msg);
			msg = NULL;
		}
		free(data);
	}
	return send_message(q, msg);
}

int
rookery_queue_verdict(struct rookery_queue *q, uint64_t id, enum rookery_verdict verdict)
{
	return rookery_queue_answer(q, &(struct rookery_answer){.id = id, .verdict = verdict});
}
