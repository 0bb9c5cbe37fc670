/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One who has connected to engine.sock: requests and answers, one after the other; a probe or a capture answers later. */
#include "fabric/base/log.h"
#include "fabric/control/base64.h"
#include "fabric/engine/capture.h"
#include "fabric/engine/events.h"
#include "fabric/engine/nflog.h"
#include "fabric/engine/osa.h"
#include "fabric/engine/probe.h"
#include "fabric/engine/queue.h"
#include "fabric/engine/rules.h"
#include "fabric/engine/show_conntrack.h"
#include "filters/live.h"
#include "fabric/engine/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { QUEUE_TURN = 64 };

struct client {
	LIST_ENTRY(client) entry;
	struct wire wire;
	struct capture *capture;
	uint8_t *spare; /* the buffer that is not the capture's */
	struct follower *follower;
	char *events; /* the buffer that is not the follower's */
	struct queue *queue; /* of packets that wait for its verdicts */
	bool writing;   /* waits for room to write */
};

int
client_new(struct server *s, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	int rc;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	wire_init(&c->wire, fd);
	LIST_INSERT_HEAD(&s->clients, c, entry);
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	rc = -errno;
	client_free(s, c);
	return rc;
}

void
client_free(struct server *s, struct client *c)
{
	struct engine *e = s->engine;

	slow_lock(&e->control);
	probe_cancel(e, c);
	if (c->capture)
		capture_detach(c->capture);
	if (c->follower)
		follower_leave(c->follower);
	slow_unlock(&e->control);
	if (c->queue)
		queue_unbind(c->queue, e);
	capture_free(c->capture);
	follower_free(c->follower);
	free(c->events);
	free(c->spare);
	LIST_REMOVE(c, entry);
	wire_fini(&c->wire);
	free(c);
}

/* Takes the answer. => false: the client is gone. */
static bool
answer(struct server *s, struct client *c, json_t *msg)
{
	int rc = msg ? wire_queue(&c->wire, msg) : -ENOMEM;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};

	json_decref(msg);
	if (rc == 0 && wire_flush(&c->wire) > 0 && !c->writing) {
		c->writing = true;
		epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->wire.fd, &event);
	}
	if (rc == 0)
		return true;
	client_free(s, c);
	return false;
}

static bool
address(const json_t *msg, const char *key, struct ip_addr *out)
{
	const char *text = json_string_value(json_object_get(msg, key));

	*out = (struct ip_addr){0};
	return !text || ip_parse(text, out) == 0;
}

static int64_t
number(const json_t *msg, const char *key, int64_t fallback)
{
	const json_t *v = json_object_get(msg, key);

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

/* => NULL when the probe is on its way, else what is wrong. */
static json_t *
start_probe(struct server *s, struct client *c, const json_t *msg)
{
	struct engine *e = s->engine;
	const char *node = json_string_value(json_object_get(msg, "node"));
	int64_t ttl = number(msg, "ttl", 64), size = number(msg, "size", 56), timeout = number(msg, "timeout_ms", 1000);
	struct probe_request r = {.router = engine_router(e, node), .df = json_is_true(json_object_get(msg, "df")), .owner = c};
	json_t *wrong = NULL;

	if (!r.router)
		return wire_error("there is no router '%s'", node ? node : "");
	if (!address(msg, "to", &r.to) || r.to.family != AF_INET)
		return wire_error("a probe needs an IPv4 address to go to");
	if (!address(msg, "src", &r.from) || r.from.family == AF_INET6)
		return wire_error("the source of a probe is an IPv4 address");
	if (ttl < 1 || ttl > 255 || size < 0 || size > 65507 || timeout < 1 || timeout > 3600000)
		return wire_error("ttl is 1 to 255, size 0 to 65507 bytes, timeout_ms 1 to 3600000");
	r.ttl = (uint8_t)ttl;
	r.size = (uint16_t)size;
	r.seq = (uint16_t)number(msg, "seq", 1);
	r.timeout = (uint64_t)timeout * 1000000u;
	slow_lock(&e->control);
	if (!probe_start(e, &r))
		wrong = errno == ENETUNREACH ? wire_error("network is unreachable from %s", r.router->name)
					     : wire_error("%s: %s", r.router->name, strerror(errno));
	slow_unlock(&e->control);
	worker_flush(&e->control);
	return wrong;
}

static const char *const probe_ends[] = {
		[PROBE_ECHO] = "echo",
		[PROBE_TIME_EXCEEDED] = "time-exceeded",
		[PROBE_UNREACHABLE] = "unreachable",
		[PROBE_TIMEOUT] = "timeout",
		[PROBE_DROP] = "drop",
};

static json_t *
probe_record(const struct probe *p)
{
	json_t *r = json_pack("{s:b, s:s, s:f}", "ok", 1, "reply", probe_ends[p->end], "rtt_us", (double)p->rtt / 1000);
	char text[ADDR_TEXT];

	if (ip_is_set(&p->from)) {
		json_object_set_new(r, "from", json_string(ip_text(&p->from, text)));
		json_object_set_new(r, "ttl", json_integer(p->ttl));
		json_object_set_new(r, "code", json_integer(p->code));
		json_object_set_new(r, "size", json_integer(p->size));
	}
	if (p->mtu)
		json_object_set_new(r, "mtu", json_integer(p->mtu));
	if (p->end == PROBE_DROP) {
		json_object_set_new(r, "reason", json_string(drop_name(p->why)));
		json_object_set_new(r, "text", json_string(drop_text(p->why)));
	}
	return r;
}

/* => the instructions, to free(), *n of them; NULL with *n 0: none were sent; NULL with *n 1: nonsense. */
static struct bpf_insn *
filter_of(const json_t *msg, unsigned *n)
{
	const json_t *list = json_object_get(msg, "filter");
	struct bpf_insn *filter = NULL;
	size_t size = json_array_size(list);

	*n = 0;
	if (!list || size == 0)
		return NULL;
	*n = 1;
	if (size <= 4096)
		filter = calloc(size, sizeof(*filter));
	for (size_t i = 0; filter && i < size; i++) {
		const json_t *row = json_array_get(list, i);

		filter[i] = (struct bpf_insn){
				.code = (u_short)json_integer_value(json_array_get(row, 0)),
				.jt = (u_char)json_integer_value(json_array_get(row, 1)),
				.jf = (u_char)json_integer_value(json_array_get(row, 2)),
				.k = (bpf_u_int32)json_integer_value(json_array_get(row, 3)),
		};
	}
	if (filter)
		*n = (unsigned)size;
	return filter;
}

/* Where "NODE:INTERFACE" or a link's name ("A:if=B:if") is captured; *frames: Ethernet; *version: of what paths
 * go by there. NULL: no such place. */
static struct capture **
capture_place(struct engine *e, const char *at, bool *frames, struct version **version)
{
	char node[64], *colon, *end;
	const struct cfg_node *n;
	const struct cfg_iface *i;
	const struct placed_iface *pi;

	snprintf(node, sizeof(node), "%s", at);
	end = strchr(node, '=');
	if (end)
		*end = '\0';
	colon = strchr(node, ':');
	if (!colon || !e->config)
		return NULL;
	*colon = '\0';
	n = config_node(e->config, node);
	i = n ? config_iface(n, colon + 1) : NULL;
	if (!i || i->kind == CFG_DUMMY)
		return NULL;
	pi = placed_iface(e->placement, i);
	*frames = config_iface_frames(e->config, i);
	if (n->kind == CFG_ROUTER) {
		*version = &pi->live->version;
		return &pi->live->captures;
	}
	*version = e->ports[pi->port] ? &e->ports[pi->port]->version : NULL;
	return e->ports[pi->port] ? &e->ports[pi->port]->captures : NULL;
}

static json_t *
start_capture(struct server *s, struct client *c, const json_t *msg)
{
	struct engine *e = s->engine;
	const char *at = json_string_value(json_object_get(msg, "at"));
	bool frames = false;
	struct version *version = NULL;
	struct capture **list = at ? capture_place(e, at, &frames, &version) : NULL;
	struct bpf_insn *filter;
	unsigned n;

	errno = 0;
	if (c->capture)
		return wire_error("this connection captures already");
	if (!list)
		return wire_error("there is no interface or link '%s' to capture", at ? at : "");
	filter = filter_of(msg, &n);
	c->capture = n && !filter ? NULL
				  : capture_new(filter, n, (uint32_t)number(msg, "snaplen", 0), e->control.wake_fd);
	free(filter);
	if (!c->capture)
		return wire_error(errno == ENOMEM ? "no memory for one more capture" : "the capture filter is not valid");
	c->spare = malloc(CAPTURE_BUFFER);
	if (!c->spare) {
		capture_free(c->capture);
		c->capture = NULL;
		return wire_error("no memory for one more capture");
	}
	slow_lock(&e->control);
	capture_attach(c->capture, list);
	version_bump(&e->epoch, version); /* paths go by captures */
	slow_unlock(&e->control);
	return json_pack("{s:b, s:i}", "ok", 1, "linktype", frames ? 1 : 101);
}

static json_t *
packet_record(const struct capture_record *r)
{
	char *text = malloc(BASE64_ENCODED(r->caplen) + 1);
	json_t *msg;

	if (!text)
		return NULL;
	base64_encode(r + 1, r->caplen, text);
	msg = json_pack("{s:I, s:I, s:s, s:s}", "ts_ns", (json_int_t)r->when, "len", (json_int_t)r->len, "dir",
			r->out ? "out" : "in", "data", text);
	free(text);
	return msg;
}

/* Sends what was captured since the last time, unless the reader still has not taken what it got before. */
static void
send_captured(struct server *s, struct client *c)
{
	struct engine *e = s->engine;
	uint64_t dropped;
	bool ended;
	size_t used;

	if (c->writing)
		return;
	slow_lock(&e->control);
	used = capture_take(c->capture, &c->spare, &dropped, &ended);
	slow_unlock(&e->control);
	for (size_t at = 0; at < used;) {
		const struct capture_record *r = (const struct capture_record *)(c->spare + at);
		json_t *msg = packet_record(r);

		at += (sizeof(*r) + r->caplen + 7) & ~(size_t)7;
		if (msg && !answer(s, c, msg))
			return;
	}
	if (dropped && !answer(s, c, json_pack("{s:I}", "dropped", (json_int_t)dropped)))
		return;
	if (ended)
		client_free(s, c);
}

static json_t *
start_following(struct server *s, struct client *c, const json_t *msg)
{
	struct engine *e = s->engine;
	const struct router *r = engine_router(e, json_string_value(json_object_get(msg, "node")));

	if (!r)
		return wire_error("there is no such router");
	if (c->follower)
		return wire_error("this connection follows already");
	if (!r->live->filters->conntrack)
		return wire_error("%s tracks no connections: none of its rules needs it, and nf_conntrack_always is 0", r->name);
	c->events = malloc(EVENTS_BUFFER);
	c->follower = c->events ? follower_new(r->live, e->control.wake_fd, json_is_true(json_object_get(msg, "expect"))) : NULL;
	if (!c->follower)
		return wire_error("no memory for one more follower");
	slow_lock(&e->control);
	follower_join(c->follower);
	slow_unlock(&e->control);
	return wire_ok();
}

/* "[NEW] tcp ..." => {"event":"[NEW]","line":"tcp ..."} */
static json_t *
event_record(const char *text)
{
	size_t word = strcspn(text, " ");

	return json_pack("{s:s%, s:s}", "event", text, word, "line", text + word + (text[word] != '\0'));
}

static void
send_events(struct server *s, struct client *c)
{
	struct engine *e = s->engine;
	uint64_t lost;
	size_t used;

	if (c->writing)
		return;
	slow_lock(&e->control);
	used = follower_take(c->follower, &c->events, &lost);
	slow_unlock(&e->control);
	for (size_t at = 0; at < used; at += strlen(c->events + at) + 1) {
		json_t *msg = event_record(c->events + at);

		if (msg && !answer(s, c, msg))
			return;
	}
	if (lost && !answer(s, c, json_pack("{s:I}", "dropped", (json_int_t)lost)))
		return;
	if (!c->follower->router)
		client_free(s, c);
}

/* The answer and the descriptor of the rules go at once: it is short, so it does not wait for room. */
static json_t *
send_rules(struct server *s, struct client *c, const json_t *msg)
{
	int fd, rc;
	json_t *reply = show_rules(s->engine, msg, &fd);

	if (fd < 0)
		return reply;
	rc = wire_send(&c->wire, reply, &fd, 1);
	json_decref(reply);
	close(fd);
	return rc < 0 ? wire_error("the rules cannot be sent: %s", strerror(-rc)) : NULL;
}

static json_t *
start_queue(struct server *s, struct client *c, const json_t *msg)
{
	const struct router *r = engine_router(s->engine, json_string_value(json_object_get(msg, "node")));

	if (c->queue)
		return wire_error("this connection has a queue already");
	return queue_bind(s->engine, s->engine->queues, r, msg, &c->queue);
}

static json_t *
take_verdict(struct server *s, struct client *c, const json_t *msg)
{
	return c->queue ? queue_verdict(c->queue, s->engine, msg) : wire_error("a verdict without a queue");
}

/* Hands on what the program has not got, in bounded turns, unless it has not read what it got before. */
static void
send_queued(struct server *s, struct client *c)
{
	json_t *msg = NULL;

	for (unsigned i = 0; i < QUEUE_TURN && !c->writing; i++) {
		msg = queue_message(c->queue, s->engine);
		if (!msg)
			break;
		if (!answer(s, c, msg))
			return;
	}
	if (msg && !c->writing)
		worker_wake(&s->engine->control);
	if (queue_ended(c->queue))
		client_free(s, c);
}

static json_t *
handle(struct server *s, struct client *c, const json_t *msg)
{
	const char *op = json_string_value(json_object_get(msg, "op"));
	const char *what = json_string_value(json_object_get(msg, "what"));

	if (!op)
		return wire_error("a request without an operation");
	if (strcmp(op, "show") == 0)
		return show(s->engine, msg);
	if (strcmp(op, "status") == 0)
		return show_status(s->engine);
	if (strcmp(op, "probe") == 0)
		return start_probe(s, c, msg);
	if (strcmp(op, "capture") == 0)
		return start_capture(s, c, msg);
	if (strcmp(op, "rules") == 0)
		return send_rules(s, c, msg);
	if (strcmp(op, "osa") == 0)
		return osa_request(s->engine, msg);
	if (strcmp(op, "sets") == 0)
		return show_sets(s->engine, msg);
	if (strcmp(op, "conntrack") == 0 && strcmp(what ? what : "", "events") == 0)
		return start_following(s, c, msg);
	if (strcmp(op, "conntrack") == 0)
		return show_conntrack(s->engine, msg);
	if (strcmp(op, "queue") == 0)
		return start_queue(s, c, msg);
	if (strcmp(op, "verdict") == 0)
		return take_verdict(s, c, msg);
	return wire_error("the engine does not know '%s'", op);
}

static void
readable(struct server *s, struct client *c)
{
	json_t *msg, *reply;
	int rc;

	while ((rc = wire_recv(&c->wire, &msg, NULL, NULL)) == 0) {
		reply = handle(s, c, msg);
		json_decref(msg);
		if (reply && !answer(s, c, reply))
			return;
	}
	if (rc != -EAGAIN)
		client_free(s, c);
}

void
client_event(struct server *s, struct client *c, uint32_t events)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

	if (events & EPOLLOUT && c->writing) {
		int rc = wire_flush(&c->wire);

		if (rc < 0) {
			client_free(s, c);
			return;
		}
		if (rc == 0) {
			c->writing = false;
			epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->wire.fd, &event);
			if (c->capture || c->follower || c->queue)
				worker_wake(&s->engine->control);
		}
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		readable(s, c);
}

void
clients_notified(struct server *s)
{
	struct engine *e = s->engine;
	struct client *c, *next;
	struct probe *p;

	do {
		slow_lock(&e->control);
		p = probe_done(e);
		slow_unlock(&e->control);
		if (p)
			answer(s, p->owner, probe_record(p));
		probe_free(p);
	} while (p);
	for (c = LIST_FIRST(&s->clients); c; c = next) {
		next = LIST_NEXT(c, entry);
		if (c->capture)
			send_captured(s, c);
		else if (c->follower)
			send_events(s, c);
		else if (c->queue)
			send_queued(s, c);
	}
	if (e->nflog)
		nflog_flush(e->nflog, &e->control);
}
