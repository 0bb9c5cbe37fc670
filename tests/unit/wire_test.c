/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/control/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* One end is a wire, the other a bare socket on which a test says what it likes. */
struct pair {
	struct wire wire;
	int peer;
};

static struct pair
pair_new(int flags)
{
	struct pair p;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | flags, 0, fds), 0);
	wire_init(&p.wire, fds[0]);
	p.peer = fds[1];
	return p;
}

static void
pair_free(struct pair *p)
{
	wire_fini(&p->wire);
	if (p->peer >= 0)
		close(p->peer);
}

static size_t
frame(uint8_t *buf, const char *json)
{
	uint32_t be = htonl((uint32_t)strlen(json));

	memcpy(buf, &be, 4);
	memcpy(buf + 4, json, strlen(json));
	return 4 + strlen(json);
}

static void
say(const struct pair *p, const void *bytes, size_t n)
{
	assert_int_equal(write(p->peer, bytes, n), n);
}

static void
say_with_fds(const struct pair *p, const void *bytes, size_t len, const int *fds, size_t n)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * 250)];
	} c;
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &c,
		.msg_controllen = CMSG_SPACE(sizeof(int) * n)};

	memset(&c, 0, sizeof(c));
	c.align.cmsg_level = SOL_SOCKET;
	c.align.cmsg_type = SCM_RIGHTS;
	c.align.cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(&c.align), fds, sizeof(int) * n);
	assert_int_equal(sendmsg(p->peer, &m, 0), len);
}

/* Descriptors of this process, to see that none leaks. */
static int
open_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
assert_number(json_t *msg, json_int_t n)
{
	assert_non_null(msg);
	assert_int_equal(json_integer_value(json_object_get(msg, "n")), n);
	json_decref(msg);
}

static void
frames_split_at_every_byte(void **state)
{
	uint8_t buf[64];
	size_t len = frame(buf, "{\"n\":1}");
	json_t *msg;

	(void)state;
	len += frame(buf + len, "{\"n\":22}");
	for (size_t cut = 0; cut <= len; cut++) {
		struct pair p = pair_new(SOCK_NONBLOCK);
		int whole = 0;

		say(&p, buf, cut);
		while (wire_recv(&p.wire, &msg, NULL, NULL) == 0)
			assert_number(msg, whole++ == 0 ? 1 : 22);
		assert_null(msg);
		assert_int_equal(wire_recv(&p.wire, &msg, NULL, NULL), -EAGAIN);
		say(&p, buf + cut, len - cut);
		while (wire_recv(&p.wire, &msg, NULL, NULL) == 0)
			assert_number(msg, whole++ == 0 ? 1 : 22);
		assert_int_equal(whole, 2);
		pair_free(&p);
	}
}

static void
frame_byte_by_byte(void **state)
{
	struct pair p = pair_new(SOCK_NONBLOCK);
	uint8_t buf[64];
	size_t len = frame(buf, "{\"n\":7,\"text\":\"\\u00e9\"}");
	json_t *msg;

	(void)state;
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(wire_recv(&p.wire, &msg, NULL, NULL), -EAGAIN);
		say(&p, buf + i, 1);
	}
	assert_int_equal(wire_recv(&p.wire, &msg, NULL, NULL), 0);
	assert_number(msg, 7);
	pair_free(&p);
}

static const struct {
	const char *what;
	const char *bytes;
	size_t len;
} refused[] = {
	{"nothing in it", "\0\0\0\0", 4},
	{"one byte too long", "\4\0\0\1", 4},
	{"as long as can be", "\377\377\377\377", 4},
	{"a HTTP client", "GET / HTTP/1.1\r\n\r\n", 18},
	{"no JSON", "\0\0\0\3abc", 7},
	{"an array", "\0\0\0\2[]", 6},
	{"a number",
		"\0\0\0\1"
		"7",
		5},
	{"two objects", "\0\0\0\4{}{}", 8},
	{"an object that does not end", "\0\0\0\5{\"a\":", 9},
	{"not UTF-8", "\0\0\0\7{\"\377\":1}", 11},
	{"a NUL in a string", "\0\0\0\16{\"a\":\"\\u0000\"}", 18},
};

static void
what_is_not_ours_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct pair p = pair_new(SOCK_NONBLOCK);
		json_t *msg;

		say(&p, refused[i].bytes, refused[i].len);
		for (int again = 0; again < 2; again++)
			if (wire_recv(&p.wire, &msg, NULL, NULL) != -EBADMSG)
				fail_msg("%s was not refused", refused[i].what);
		assert_null(msg);
		pair_free(&p);
	}
}

/* "[[[[..." must not use up the stack. */
static void
deep_nesting_is_refused(void **state)
{
	enum { DEEP = 200000 };
	struct pair p = pair_new(SOCK_NONBLOCK);
	char *text = malloc(DEEP + 4);
	uint32_t be = htonl(DEEP);
	json_t *msg;
	size_t sent = 0;
	int rc;

	(void)state;
	assert_non_null(text);
	memcpy(text, &be, 4);
	memcpy(text + 4, "{\"a\":", 5);
	memset(text + 9, '[', DEEP - 5);
	do {
		ssize_t n = write(p.peer, text + sent, DEEP + 4 - sent);

		sent += n > 0 ? (size_t)n : 0;
		rc = wire_recv(&p.wire, &msg, NULL, NULL);
	} while (rc == -EAGAIN);
	assert_int_equal(rc, -EBADMSG);
	free(text);
	pair_free(&p);
}

static void
announced_length_allocates_nothing(void **state)
{
	struct pair p = pair_new(SOCK_NONBLOCK);
	uint32_t be = htonl(WIRE_FRAME_MAX);
	json_t *msg;

	(void)state;
	say(&p, &be, 4);
	say(&p, "{", 1);
	assert_int_equal(wire_recv(&p.wire, &msg, NULL, NULL), -EAGAIN);
	assert_true(p.wire.in_size <= 8192);
	pair_free(&p);
}

static void
closing_is_seen(void **state)
{
	uint8_t buf[32];
	size_t len = frame(buf, "{\"n\":1}");
	json_t *msg;

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		struct pair p = pair_new(0);

		say(&p, buf, cut);
		close(p.peer);
		p.peer = -1;
		assert_int_equal(wire_recv(&p.wire, &msg, NULL, NULL), -EPIPE);
		msg = wire_ok();
		assert_int_equal(wire_send(&p.wire, msg, NULL, 0), -EPIPE);
		assert_int_equal(wire_queue(&p.wire, msg), -EPIPE);
		json_decref(msg);
		pair_free(&p);
	}
}

static bool
same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

/* Each message has a different number of descriptors; all are sent before one is received. */
static void
descriptors_stay_with_their_message(void **state)
{
	static const size_t counts[] = {0, 1, WIRE_FDS_MAX, 0, 3, 0};
	size_t n = sizeof(counts) / sizeof(counts[0]), n_fds;
	struct pair p = pair_new(SOCK_NONBLOCK);
	int before = open_files(), fds[WIRE_FDS_MAX], null = open("/dev/null", O_RDONLY);
	struct wire sender;
	json_t *msg;

	(void)state;
	wire_init(&sender, p.peer);
	for (size_t i = 0; i < WIRE_FDS_MAX; i++)
		fds[i] = null;
	for (size_t i = 0; i < n; i++) {
		msg = json_pack("{sI}", "n", (json_int_t)i);
		assert_int_equal(wire_send(&sender, msg, fds, counts[i]), 0);
		json_decref(msg);
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(wire_recv(&p.wire, &msg, fds, &n_fds), 0);
		assert_number(msg, (json_int_t)i);
		assert_int_equal(n_fds, counts[i]);
		for (size_t j = 0; j < n_fds; j++) {
			assert_true(same_file(fds[j], null));
			assert_int_equal(fcntl(fds[j], F_GETFD), FD_CLOEXEC);
			close(fds[j]);
		}
	}
	close(null);
	assert_int_equal(open_files(), before);
	pair_free(&p);
	wire_init(&sender, -1);
}

static void
unwanted_descriptors_are_closed(void **state)
{
	int before = open_files(), one[] = {STDIN_FILENO};
	struct pair p = pair_new(SOCK_NONBLOCK);
	uint8_t buf[32];
	size_t len = frame(buf, "{\"n\":1}");
	json_t *msg;

	(void)state;
	say_with_fds(&p, buf, len, one, 1);
	assert_int_equal(wire_recv(&p.wire, &msg, NULL, NULL), 0);
	assert_number(msg, 1);
	say_with_fds(&p, buf, len - 1, one, 1); /* never whole: wire_fini() has to close it */
	assert_int_equal(wire_recv(&p.wire, &msg, NULL, NULL), -EAGAIN);
	assert_int_equal(p.wire.n_fds, 1);
	pair_free(&p);
	assert_int_equal(open_files(), before);
}

static void
too_many_descriptors_are_refused(void **state)
{
	int before = open_files(), many[250];
	uint8_t buf[32];
	size_t len = frame(buf, "{\"n\":1}");
	json_t *msg = json_object();

	(void)state;
	for (size_t i = 0; i < 250; i++)
		many[i] = STDIN_FILENO;
	for (int in_two = 0; in_two < 2; in_two++) {
		struct pair p = pair_new(SOCK_NONBLOCK);

		assert_int_equal(wire_send(&p.wire, msg, many, WIRE_FDS_MAX + 1), -EINVAL);
		if (in_two) {
			json_t *got;

			say_with_fds(&p, buf, 4, many, WIRE_FDS_MAX);
			say_with_fds(&p, buf + 4, len - 4, many, 1);
			assert_int_equal(wire_recv(&p.wire, &got, NULL, NULL), -EBADMSG);
		} else {
			json_t *got;

			say_with_fds(&p, buf, len, many, 250);
			assert_int_equal(wire_recv(&p.wire, &got, NULL, NULL), -EBADMSG);
		}
		pair_free(&p);
		assert_int_equal(open_files(), before);
	}
	json_decref(msg);
}

static json_t *
big_message(size_t bytes)
{
	char *text = malloc(bytes + 1);
	json_t *msg;

	assert_non_null(text);
	memset(text, 'x', bytes);
	text[bytes] = '\0';
	msg = json_pack("{ss}", "text", text);
	free(text);
	return msg;
}

static void *
receive_three(void *arg)
{
	struct wire *w = arg;
	size_t *sizes = calloc(3, sizeof(*sizes));

	for (int i = 0; i < 3; i++) {
		json_t *msg;

		if (wire_wait(w, &msg, NULL, NULL, -1) < 0)
			break;
		sizes[i] = json_string_length(json_object_get(msg, "text"));
		json_decref(msg);
	}
	return sizes;
}

static void
queued_and_sent_keep_their_order(void **state)
{
	enum { BIG = 3 << 20, SMALL = 10 };
	struct pair p = pair_new(SOCK_NONBLOCK);
	json_t *big = big_message(BIG), *small = big_message(SMALL);
	struct wire receiver;
	pthread_t thread;
	void *result;
	size_t *sizes;

	(void)state;
	wire_init(&receiver, p.peer);
	assert_int_equal(wire_queue(&p.wire, big), 0);
	assert_int_equal(wire_queue(&p.wire, small), 0);
	assert_int_equal(wire_flush(&p.wire), 1);
	assert_int_equal(pthread_create(&thread, NULL, receive_three, &receiver), 0);
	assert_int_equal(wire_send(&p.wire, big, NULL, 0), 0);
	assert_int_equal(wire_flush(&p.wire), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	sizes = result;
	assert_int_equal(sizes[0], BIG);
	assert_int_equal(sizes[1], SMALL);
	assert_int_equal(sizes[2], BIG);
	free(sizes);
	json_decref(big);
	json_decref(small);
	pair_free(&p);
	free(receiver.in);
}

static void
queue_is_bounded(void **state)
{
	struct pair p = pair_new(SOCK_NONBLOCK);
	json_t *msg = big_message(20 << 20);
	int rc, n = 0;

	(void)state;
	while ((rc = wire_queue(&p.wire, msg)) == 0 && n < 10)
		n++;
	assert_int_equal(rc, -ENOBUFS);
	assert_int_equal(n, 3);
	json_decref(msg);
	pair_free(&p);
}

static void
oversized_message_is_not_sent(void **state)
{
	struct pair p = pair_new(SOCK_NONBLOCK);
	json_t *msg = big_message(WIRE_FRAME_MAX), *array = json_array();

	(void)state;
	assert_int_equal(wire_send(&p.wire, msg, NULL, 0), -EMSGSIZE);
	assert_int_equal(wire_queue(&p.wire, msg), -EMSGSIZE);
	assert_int_equal(wire_send(&p.wire, array, NULL, 0), -EINVAL);
	json_decref(msg);
	json_decref(array);
	pair_free(&p);
}

static void
waiting_ends(void **state)
{
	struct pair p = pair_new(0);
	json_t *msg, *request = wire_error("no %s", "way");

	(void)state;
	assert_int_equal(wire_wait(&p.wire, &msg, NULL, NULL, 0), -ETIMEDOUT);
	assert_int_equal(wire_wait(&p.wire, &msg, NULL, NULL, 1), -ETIMEDOUT);
	assert_int_equal(wire_call(&p.wire, request, &msg, 1), -ETIMEDOUT);
	assert_null(msg);
	assert_string_equal(json_string_value(json_object_get(request, "error")), "no way");
	json_decref(request);
	pair_free(&p);
}

static void
listening_and_connecting(void **state)
{
	char dir[] = "/tmp/wire_test.XXXXXX", path[64], too_long[300];
	struct stat st;
	int listener, fd, peer;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	memset(too_long, 'x', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(wire_listen(too_long), -ENAMETOOLONG);
	assert_int_equal(wire_connect(path), -ENOENT);
	listener = wire_listen(path);
	assert_true(listener >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(wire_listen(path), -EADDRINUSE);
	assert_int_equal(wire_accept(listener), -EAGAIN);
	fd = wire_connect(path);
	assert_true(fd >= 0);
	peer = wire_accept(listener);
	assert_true(peer >= 0);
	assert_true(fcntl(peer, F_GETFL) & O_NONBLOCK);
	close(peer);
	close(fd);
	close(listener);
	assert_int_equal(wire_connect(path), -ECONNREFUSED);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_split_at_every_byte),
		cmocka_unit_test(frame_byte_by_byte),
		cmocka_unit_test(what_is_not_ours_is_refused),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(announced_length_allocates_nothing),
		cmocka_unit_test(closing_is_seen),
		cmocka_unit_test(descriptors_stay_with_their_message),
		cmocka_unit_test(unwanted_descriptors_are_closed),
		cmocka_unit_test(too_many_descriptors_are_refused),
		cmocka_unit_test(queued_and_sent_keep_their_order),
		cmocka_unit_test(queue_is_bounded),
		cmocka_unit_test(oversized_message_is_not_sent),
		cmocka_unit_test(waiting_ends),
		cmocka_unit_test(listening_and_connecting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
