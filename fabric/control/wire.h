/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between our processes: one JSON object a frame, over a stream socket, with descriptors.
 *
 * A frame is a 32-bit length, network byte order, then that many bytes of JSON text. Descriptors ride
 * on the first byte of their frame (SCM_RIGHTS), at most WIRE_FDS_MAX. A peer may be hostile: the length
 * is bounded before anything is allocated, and whatever is not an object ends the connection.
 */
#ifndef FABRIC_CONTROL_WIRE_H
#define FABRIC_CONTROL_WIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { WIRE_FDS_MAX = 200, WIRE_FRAME_MAX = 64 << 20, WIRE_STALL_MS = 10000 };

struct wire {
	int fd;
	uint8_t *in; /* bytes received and not yet taken */
	size_t in_len, in_size;
	uint8_t *out; /* bytes to send */
	size_t out_at, out_len, out_size; /* those from out_at up to out_len still wait */
	int fds[WIRE_FDS_MAX]; /* received with the frame at the front of `in` */
	size_t n_fds;
};

/* Takes ownership of `fd`, blocking or not. */
void wire_init(struct wire *w, int fd);
/* Closes the descriptor and every received one that was not taken. */
void wire_fini(struct wire *w);

/*
 * Sends one message whole, waiting as long as the peer makes progress (WIRE_STALL_MS without any: -ETIMEDOUT).
 * The descriptors stay the caller's. `msg` is borrowed. => 0 or -errno.
 */
int wire_send(struct wire *w, const json_t *msg, const int *fds, size_t n_fds);
/*
 * Queues one message without descriptors and sends what the socket takes now; never waits.
 * => 0, -ENOBUFS when more than WIRE_FRAME_MAX bytes wait, or -errno. wire_flush() goes on later:
 * => 1 when bytes still wait (poll for output), 0 when none, -errno.
 */
int wire_queue(struct wire *w, const json_t *msg);
int wire_flush(struct wire *w);

/*
 * Takes the next message. On a non-blocking socket -EAGAIN means: not whole yet, call again when readable.
 * => 0 with *msg (to json_decref()) and its descriptors in *fds, *n_fds (the caller's to close, at most
 * WIRE_FDS_MAX; pass NULL to have them closed); -EPIPE when the peer has closed; -EBADMSG when it is
 * not our protocol; -errno.
 */
int wire_recv(struct wire *w, json_t **msg, int *fds, size_t *n_fds);
/* wire_recv() that waits, also on a non-blocking socket; => -ETIMEDOUT after `timeout_ms` (-1: no limit). */
int wire_wait(struct wire *w, json_t **msg, int *fds, size_t *n_fds, int timeout_ms);

/* A request and its answer. => 0 with *reply, or -errno. */
int wire_call(struct wire *w, const json_t *request, json_t **reply, int timeout_ms);

/* A listening socket at `path`, mode 0600, non-blocking, close-on-exec. => descriptor or -errno. */
int wire_listen(const char *path);
/* => connected descriptor, or -errno. */
int wire_connect(const char *path);
/* Accepts one peer; only one with our own effective user id or root passes. => descriptor, or -errno. */
int wire_accept(int listener);

/* {"ok":false,"error":"..."} with printf formatting; {"ok":true}. New references. */
json_t *wire_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
json_t *wire_ok(void);

#endif
