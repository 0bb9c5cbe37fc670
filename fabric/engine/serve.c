/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/serve.h"

#include "fabric/base/log.h"
#include "fabric/engine/osa.h"
#include "fabric/engine/privileges.h"
#include "fabric/engine/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Marks what an epoll event is about; a client is its own pointer. */
static const char about_keeper, about_listener, about_signal, about_wake;

static int
watch(struct server *s, int fd, const void *about)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)(uintptr_t)about};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void
take_ports(struct server *s, const json_t *msg, int *fds, size_t n)
{
	const json_t *names = json_object_get(msg, "names");

	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name)
			offers_add(&s->offers, name, fds[i]);
		else
			close(fds[i]);
	}
}

/* Devices of the first configuration may have needed rights to open; nothing that comes later may, and no worker has any. */
static json_t *
started(struct server *s)
{
	int rc = s->restricted ? 0 : privileges_drop();

	if (rc < 0)
		return wire_error("the engine cannot give up its privileges: %s", strerror(-rc));
	rc = s->restricted ? 0 : engine_start(s->engine);
	s->restricted = true;
	return rc == 0 ? wire_ok() : wire_error("the engine cannot start its workers: %s", strerror(-rc));
}

/* `bundle_fd`: of the rules beside it, or -1: the routers keep theirs. */
static json_t *
apply(struct server *s, const json_t *msg, int bundle_fd)
{
	const char *text = json_string_value(json_object_get(msg, "config"));
	const char *origin = json_string_value(json_object_get(msg, "origin"));
	struct bundle bundle = {0};
	struct cfg_errors errors;
	struct config *config;
	char why[1024];
	json_t *answer;
	int rc;

	if (!text) {
		offers_clear(&s->offers);
		return wire_error("an apply without a configuration");
	}
	rc = config_read(text, strlen(text), origin ? origin : "configuration", &config, &errors);
	if (rc < 0) {
		answer = wire_error("%s", errors.n ? errors.text[0] : strerror(-rc));
		offers_clear(&s->offers);
		cfg_errors_free(&errors);
		return answer;
	}
	cfg_errors_free(&errors);
	snprintf(why, sizeof(why), "the rules beside the configuration cannot be read");
	rc = bundle_fd < 0 ? 0 : bundle_read(bundle_fd, &bundle);
	if (rc == 0)
		rc = publish(s->engine, config, bundle_fd < 0 ? NULL : &bundle,
				(uint64_t)json_integer_value(json_object_get(msg, "serial")), &s->offers, why, sizeof(why));
	bundle_fini(&bundle);
	if (rc == 0)
		return started(s);
	offers_clear(&s->offers);
	config_free(config);
	return wire_error("%s", why);
}

static void
guest_addresses(struct server *s, const char *port, const json_t *texts)
{
	struct ip_addr *list = calloc(json_array_size(texts) + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; list && i < json_array_size(texts); i++) {
		const char *text = json_string_value(json_array_get(texts, i));
		struct ip_prefix p;

		if (text && prefix_parse(text, &p) == 0)
			list[n++] = p.addr;
	}
	if (list)
		publish_guest_addresses(s->engine, port, list, n);
}

static void
guest_state(struct server *s, const json_t *msg)
{
	const char *port = json_string_value(json_object_get(msg, "port"));
	const json_t *up = json_object_get(msg, "up");

	if (port && json_is_boolean(up))
		publish_guest_state(s->engine, port, json_is_true(up));
	if (port && json_is_array(json_object_get(msg, "addresses")))
		guest_addresses(s, port, json_object_get(msg, "addresses"));
}

static void
osa_carrier(struct server *s, const json_t *msg)
{
	const char *name = json_string_value(json_object_get(msg, "osa"));
	const json_t *up = json_object_get(msg, "up");

	if (name && json_is_boolean(up))
		publish_osa_carrier(s->engine, name, json_is_true(up));
}

static json_t *
change_rules_of(struct server *s, const json_t *msg, int fd)
{
	const char *node = json_string_value(json_object_get(msg, "node"));
	uint64_t base = (uint64_t)json_integer_value(json_object_get(msg, "base"));
	uint8_t *bytes = NULL;
	char why[1024];
	size_t len = 0;
	json_t *answer;
	int rc = fd < 0 ? -EBADMSG : bytes_read(fd, &bytes, &len);

	if (rc < 0)
		return wire_error("the rules cannot be read: %s", strerror(-rc));
	rc = publish_rules(s->engine, node ? node : "", base, bytes, len, why, sizeof(why));
	free(bytes);
	if (rc == 0)
		return wire_ok();
	answer = wire_error("%s", why);
	if (rc == -EAGAIN)
		json_object_set_new(answer, "again", json_true());
	return answer;
}

static json_t *
edit_answer(int rc, const struct rules_change *change, const char *why)
{
	json_t *answer = rc == 0 ? wire_ok() : wire_error("%s", why[0] ? why : strerror(-rc));

	if (rc == -EAGAIN)
		json_object_set_new(answer, "again", json_true());
	else if (rc < 0 && !why[0])
		json_object_set_new(answer, "errno", json_integer(-rc));
	json_object_set_new(answer, "jump", json_integer(change->jump));
	json_object_set_new(answer, "changed", json_boolean(rc == 0 && change->kind != CHANGE_NOTHING && change->kind != CHANGE_COUNTS));
	return answer;
}

/* "whole": the keeper has kept many edits and wants what they have come to. */
static json_t *
edit_rules_of(struct server *s, const json_t *msg, int fd, int *out)
{
	const char *node = json_string_value(json_object_get(msg, "node"));
	const json_t *base = json_object_get(msg, "base");
	const uint64_t serial = (uint64_t)json_integer_value(base);
	struct rules_change change = {0};
	uint8_t *bytes = NULL;
	char why[1024];
	json_t *answer;
	size_t len = 0;
	int rc = fd < 0 ? -EBADMSG : bytes_read(fd, &bytes, &len);

	if (rc < 0)
		return wire_error("the edit cannot be read: %s", strerror(-rc));
	rc = publish_edit(s->engine, node ? node : "", base ? &serial : NULL, bytes, len, &change, why, sizeof(why));
	free(bytes);
	answer = edit_answer(rc, &change, why);
	if (json_is_true(json_object_get(answer, "changed")) && json_is_true(json_object_get(msg, "whole")))
		json_decref(show_rules(s->engine, msg, out));
	return answer;
}

/* *out: a descriptor that goes with the answer; -1 stays: none. */
static json_t *
keeper_request(struct server *s, const char *op, const json_t *msg, int fd, int *out)
{
	if (op && strcmp(op, "apply") == 0)
		return apply(s, msg, fd);
	if (op && strcmp(op, "rules") == 0)
		return change_rules_of(s, msg, fd);
	if (op && strcmp(op, "osa") == 0)
		return osa_request(s->engine, msg);
	if (op && strcmp(op, "edit") == 0)
		return edit_rules_of(s, msg, fd, out);
	if (op && strcmp(op, "sets") == 0)
		return run_sets(s->engine, msg);
	return wire_error("the engine does not know '%s'", op ? op : "");
}

static int
keeper_message(struct server *s, const json_t *msg, int *fds, size_t n_fds)
{
	const char *op = json_string_value(json_object_get(msg, "op"));
	json_t *answer;
	int rc, out = -1;

	if (op && strcmp(op, "ports") == 0) {
		take_ports(s, msg, fds, n_fds);
		return 0;
	}
	if (op && strcmp(op, "guest") == 0) {
		guest_state(s, msg);
		rc = 0;
	} else if (op && strcmp(op, "osa-carrier") == 0) {
		osa_carrier(s, msg);
		rc = 0;
	} else {
		answer = keeper_request(s, op, msg, n_fds ? fds[0] : -1, &out);
		rc = wire_send(&s->keeper, answer, &out, out >= 0 ? 1 : 0);
		json_decref(answer);
		if (out >= 0)
			close(out);
	}
	while (n_fds)
		close(fds[--n_fds]);
	return rc;
}

/* Takes every message that is there: one read may have brought several. */
static void
keeper_event(struct server *s)
{
	int fds[WIRE_FDS_MAX], rc;
	size_t n_fds;
	json_t *msg;

	while ((rc = wire_recv(&s->keeper, &msg, fds, &n_fds)) == 0) {
		rc = keeper_message(s, msg, fds, n_fds);
		json_decref(msg);
		if (rc < 0)
			break;
	}
	if (rc == -EAGAIN)
		return;
	if (rc != -EPIPE)
		log_line(LOG_ERROR, "engine", "the keeper: %s", strerror(-rc));
	s->stop = true;
}

/* Who cannot be served is let go; left in the queue, it would keep the listener ready for ever. */
static void
accept_client(struct server *s)
{
	int fd = wire_accept(s->listen_fd);

	if (fd >= 0) {
		client_new(s, fd);
	} else if (fd == -EMFILE || fd == -ENFILE) {
		close(s->reserve_fd);
		fd = wire_accept(s->listen_fd);
		if (fd >= 0)
			close(fd);
		s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
}

static void
dispatch(struct server *s, const struct epoll_event *event)
{
	void *about = event->data.ptr;
	eventfd_t count;

	if (about == &about_keeper) {
		keeper_event(s);
	} else if (about == &about_listener) {
		accept_client(s);
	} else if (about == &about_signal) {
		s->stop = true;
	} else if (about == &about_wake) {
		eventfd_read(s->engine->control.wake_fd, &count);
		clients_notified(s);
	} else {
		client_event(s, about, event->events);
	}
}

static int
serve_init(struct server *s)
{
	sigset_t set;
	int rc;

	LIST_INIT(&s->clients);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->signal_fd < 0 || s->epoll_fd < 0 || s->reserve_fd < 0)
		return -errno;
	rc = watch(s, s->signal_fd, &about_signal);
	if (rc == 0)
		rc = watch(s, s->engine->control.wake_fd, &about_wake);
	if (rc == 0 && s->has_keeper)
		rc = watch(s, s->keeper.fd, &about_keeper);
	if (rc == 0 && s->listen_fd >= 0)
		rc = watch(s, s->listen_fd, &about_listener);
	return rc;
}

int
serve(struct server *s)
{
	struct epoll_event event;
	int rc = serve_init(s);

	while (rc == 0 && !s->stop) {
		/* one event at a time: handling it may free the client that the next one is about */
		int n = epoll_wait(s->epoll_fd, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		if (n == 1)
			dispatch(s, &event);
	}
	while (!LIST_EMPTY(&s->clients))
		client_free(s, LIST_FIRST(&s->clients));
	offers_clear(&s->offers);
	close(s->reserve_fd);
	close(s->signal_fd);
	close(s->epoll_fd);
	return rc;
}
