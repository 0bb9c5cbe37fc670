/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames over a stream socket (wire.h).
 *
 * Receiving never asks the kernel for more than the frame at hand: first the four bytes of the
 * length, then as many as it says. So `in` holds one frame at most, and descriptors that arrive
 * belong to it, whatever the kernel glued together. A frame that is not ours stays in `in`: every
 * later call on that connection gives the same -EBADMSG until the owner closes it.
 *
 * The buffer grows with the bytes that have come, not with the length that was announced: a peer
 * that promises 64 MB and sends four bytes costs us a page.
 *
 * Sending has one queue, `out`. wire_queue() appends and tries; wire_send() first drains the queue,
 * so that messages keep their order, and waits for the peer as long as it takes something now and
 * then. A send that failed half way leaves the connection useless: its owner closes it.
 *
 * One thread at a time may use a wire. Two wires share nothing.
 */
#include "fabric/control/wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
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

enum { HEADER = 4, BUFFER_FIRST = 4096, BUFFER_KEPT = 1 << 20 };

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
};

static void
close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

void
wire_init(struct wire *w, int fd)
{
	memset(w, 0, sizeof(*w));
	w->fd = fd;
}

void
wire_fini(struct wire *w)
{
	close_all(w->fds, w->n_fds);
	if (w->fd >= 0)
		close(w->fd);
	free(w->in);
	free(w->out);
	wire_init(w, -1);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n = poll(&p, 1, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* ---- sending ---- */

static ssize_t
send_some(int fd, const uint8_t *data, size_t len, const int *fds, size_t n_fds)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union control c;
	ssize_t n;

	if (n_fds > 0) {
		memset(&c, 0, sizeof(c));
		m.msg_control = &c;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c.align.cmsg_level = SOL_SOCKET;
		c.align.cmsg_type = SCM_RIGHTS;
		c.align.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&c.align), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
	return n;
}

/* Descriptors leave with the first byte that does. */
static int
send_whole(int fd, const uint8_t *data, size_t len, const int *fds, size_t n_fds)
{
	while (len > 0) {
		ssize_t n = send_some(fd, data, len, fds, n_fds);

		if (n == -EAGAIN)
			n = wait_for(fd, POLLOUT, WIRE_STALL_MS);
		else if (n > 0)
			n_fds = 0;
		if (n < 0)
			return n;
		data += n;
		len -= n;
	}
	return 0;
}

/* => the frame, to free(); NULL with errno. */
static uint8_t *
frame_new(const json_t *msg, size_t *size)
{
	size_t len = json_dumpb(msg, NULL, 0, JSON_COMPACT);
	uint32_t be;
	uint8_t *frame;

	errno = len == 0 || !json_is_object(msg) ? EINVAL : EMSGSIZE;
	if (len == 0 || !json_is_object(msg) || len > WIRE_FRAME_MAX)
		return NULL;
	frame = malloc(HEADER + len);
	if (frame == NULL)
		return NULL;
	be = htonl(len);
	memcpy(frame, &be, HEADER);
	json_dumpb(msg, (char *)frame + HEADER, len, JSON_COMPACT);
	*size = HEADER + len;
	return frame;
}

static void
out_sent(struct wire *w, size_t n)
{
	w->out_at += n;
	if (w->out_at < w->out_len)
		return;
	w->out_at = w->out_len = 0;
	if (w->out_size > BUFFER_KEPT) {
		free(w->out);
		w->out = NULL;
		w->out_size = 0;
	}
}

int
wire_send(struct wire *w, const json_t *msg, const int *fds, size_t n_fds)
{
	uint8_t *frame;
	size_t size;
	int rc;

	if (n_fds > WIRE_FDS_MAX)
		return -EINVAL;
	frame = frame_new(msg, &size);
	if (frame == NULL)
		return -errno;
	rc = send_whole(w->fd, w->out + w->out_at, w->out_len - w->out_at, NULL, 0);
	if (rc == 0) {
		out_sent(w, w->out_len - w->out_at);
		rc = send_whole(w->fd, frame, size, fds, n_fds);
	}
	free(frame);
	return rc;
}

int
wire_flush(struct wire *w)
{
	while (w->out_at < w->out_len) {
		ssize_t n = send_some(w->fd, w->out + w->out_at, w->out_len - w->out_at, NULL, 0);

		if (n < 0)
			return n == -EAGAIN ? 1 : n;
		out_sent(w, n);
	}
	return 0;
}

/* Room for `more` bytes behind out_len. */
static int
out_reserve(struct wire *w, size_t more)
{
	size_t size = w->out_size > 0 ? w->out_size : BUFFER_FIRST;
	uint8_t *p;

	if (w->out_at > 0) {
		memmove(w->out, w->out + w->out_at, w->out_len - w->out_at);
		w->out_len -= w->out_at;
		w->out_at = 0;
	}
	while (size < w->out_len + more)
		size *= 2;
	if (size == w->out_size)
		return 0;
	p = realloc(w->out, size);
	if (p == NULL)
		return -ENOMEM;
	w->out = p;
	w->out_size = size;
	return 0;
}

int
wire_queue(struct wire *w, const json_t *msg)
{
	size_t size;
	uint8_t *frame = frame_new(msg, &size);
	size_t waiting = w->out_len - w->out_at;
	int rc;

	if (frame == NULL)
		return -errno;
	if (waiting > 0 && waiting + size > WIRE_FRAME_MAX)
		rc = -ENOBUFS;
	else
		rc = w->out_len + size <= w->out_size ? 0 : out_reserve(w, size);
	if (rc == 0) {
		memcpy(w->out + w->out_len, frame, size);
		w->out_len += size;
		rc = wire_flush(w);
	}
	free(frame);
	return rc < 0 ? rc : 0;
}

/* ---- receiving ---- */

/* Bytes of the frame at the front of `in`, its header included; HEADER as long as that is not
 * whole. */
static size_t
frame_size(const struct wire *w)
{
	uint32_t be;

	if (w->in_len < HEADER)
		return HEADER;
	memcpy(&be, w->in, HEADER);
	return HEADER + (size_t)ntohl(be);
}

static bool
frame_whole(const struct wire *w)
{
	return w->in_len > HEADER && w->in_len == frame_size(w);
}

static int
in_reserve(struct wire *w)
{
	size_t size = w->in_size == 0 ? BUFFER_FIRST : w->in_size * 2;
	uint8_t *p;

	if (w->in_len < w->in_size)
		return 0;
	p = realloc(w->in, size);
	if (p == NULL)
		return -ENOMEM;
	w->in = p;
	w->in_size = size;
	return 0;
}

static int
take_fds(struct wire *w, struct msghdr *m)
{
	int rc = m->msg_flags & MSG_CTRUNC ? -EBADMSG : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fds[WIRE_FDS_MAX];

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		assert(n <= WIRE_FDS_MAX);
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
		if (w->n_fds + n > WIRE_FDS_MAX) {
			close_all(fds, n);
			rc = -EBADMSG;
			continue;
		}
		memcpy(w->fds + w->n_fds, fds, n * sizeof(int));
		w->n_fds += n;
	}
	return rc;
}

/* Appends to `in` what is there of the present frame. => 0, or -errno. */
static int
receive_some(struct wire *w, int flags)
{
	size_t want = frame_size(w) - w->in_len;
	union control c;
	struct iovec iov;
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
	ssize_t n;
	int rc = in_reserve(w);

	if (rc < 0)
		return rc;
	iov.iov_base = w->in + w->in_len;
	iov.iov_len = want < w->in_size - w->in_len ? want : w->in_size - w->in_len;
	do
		n = recvmsg(w->fd, &m, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
	rc = take_fds(w, &m);
	if (n == 0 && rc == 0)
		return -EPIPE;
	w->in_len += n;
	return rc;
}

static bool
frame_refused(const struct wire *w)
{
	return w->in_len >= HEADER &&
	       (frame_size(w) == HEADER || frame_size(w) > (size_t)HEADER + WIRE_FRAME_MAX);
}

static void
give_fds(struct wire *w, int *fds, size_t *n_fds)
{
	if (fds != NULL) {
		memcpy(fds, w->fds, w->n_fds * sizeof(int));
		*n_fds = w->n_fds;
	} else {
		close_all(w->fds, w->n_fds);
	}
	w->n_fds = 0;
}

static int
take_frame(struct wire *w, json_t **msg, int *fds, size_t *n_fds)
{
	json_t *m = json_loadb((const char *)w->in + HEADER, w->in_len - HEADER, 0, NULL);

	if (!json_is_object(m)) {
		json_decref(m);
		return -EBADMSG;
	}
	give_fds(w, fds, n_fds);
	w->in_len = 0;
	if (w->in_size > BUFFER_KEPT) {
		free(w->in);
		w->in = NULL;
		w->in_size = 0;
	}
	*msg = m;
	return 0;
}

static int
receive(struct wire *w, json_t **msg, int *fds, size_t *n_fds, int flags)
{
	*msg = NULL;
	if (n_fds != NULL)
		*n_fds = 0;
	while (!frame_whole(w)) {
		int rc = frame_refused(w) ? -EBADMSG : receive_some(w, flags);

		if (rc < 0)
			return rc;
	}
	return take_frame(w, msg, fds, n_fds);
}

int
wire_recv(struct wire *w, json_t **msg, int *fds, size_t *n_fds)
{
	return receive(w, msg, fds, n_fds, 0);
}

int
wire_wait(struct wire *w, json_t **msg, int *fds, size_t *n_fds, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;

	for (;;) {
		int rc = receive(w, msg, fds, n_fds, MSG_DONTWAIT);
		int64_t left = timeout_ms < 0 ? -1 : end - now_ms();

		if (rc != -EAGAIN)
			return rc;
		if (timeout_ms >= 0 && left <= 0)
			return -ETIMEDOUT;
		rc = wait_for(w->fd, POLLIN, left);
		if (rc < 0)
			return rc;
	}
}

int
wire_call(struct wire *w, const json_t *request, json_t **reply, int timeout_ms)
{
	int rc = wire_send(w, request, NULL, 0);

	*reply = NULL;
	return rc < 0 ? rc : wire_wait(w, reply, NULL, NULL, timeout_ms);
}

/* ---- sockets ---- */

static int
unix_socket(const char *path, int flags, struct sockaddr_un *sun)
{
	int fd;

	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun->sun_path))
		return -ENAMETOOLONG;
	strcpy(sun->sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	return fd < 0 ? -errno : fd;
}

int
wire_listen(const char *path)
{
	struct sockaddr_un sun;
	int fd = unix_socket(path, SOCK_NONBLOCK, &sun);

	if (fd < 0)
		return fd;
	/* Linux gives the file the mode of the unbound socket: at no moment may others open it. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
		listen(fd, SOMAXCONN) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int
wire_connect(const char *path)
{
	struct sockaddr_un sun;
	int fd = unix_socket(path, 0, &sun);

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int
wire_accept(int listener)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		rc = -errno;
	else if (peer.uid != geteuid() && peer.uid != 0)
		rc = -EPERM;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

/* ---- answers ---- */

json_t *
wire_error(const char *format, ...)
{
	json_t *text, *answer = json_object();
	va_list ap;

	va_start(ap, format);
	text = json_vsprintf(format, ap);
	va_end(ap);
	json_object_set_new(answer, "ok", json_false());
	json_object_set_new(answer, "error", text != NULL ? text : json_string("unknown error"));
	return answer;
}

json_t *
wire_ok(void)
{
	json_t *answer = json_object();

	json_object_set_new(answer, "ok", json_true());
	return answer;
}
