/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filters/iptables/names.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xtables.h>

struct service {
	const char *name, *alias;
	uint16_t port;
	const char *protocol; /* NULL: TCP and UDP */
};

/* Every TCP and UDP service that the rules of a web, file, mail and name server name; the first
 * name is the one that is printed. */
static const struct service services[] = {
	{"ftp-data", NULL, 20, NULL},
	{"ftp", NULL, 21, NULL},
	{"ssh", NULL, 22, NULL},
	{"smtp", "mail", 25, NULL},
	{"domain", NULL, 53, NULL},
	{"http", "www", 80, NULL},
	{"pop3", "pop-3", 110, NULL},
	{"https", NULL, 443, NULL},
};

/* What getservbyname() answers is valid until the next call: it is static by its own contract. */
static struct servent *
service_answer(const struct service *s, const char *protocol)
{
	static char name[16], alias[16], proto[8];
	static char *aliases[2];
	static struct servent answer;

	snprintf(name, sizeof(name), "%s", s->name);
	snprintf(alias, sizeof(alias), "%s", s->alias ? s->alias : "");
	snprintf(proto, sizeof(proto), "%s", protocol ? protocol : "tcp");
	aliases[0] = s->alias ? alias : NULL;
	answer.s_name = name;
	answer.s_aliases = aliases;
	answer.s_port = htons(s->port);
	answer.s_proto = proto;
	return &answer;
}

static bool
protocol_is_ours(const char *protocol)
{
	return !protocol || strcmp(protocol, "tcp") == 0 || strcmp(protocol, "udp") == 0;
}

static const struct service *
service_find(const char *name)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		const struct service *s = &services[i];

		if (strcmp(s->name, name) == 0 || (s->alias && strcmp(s->alias, name) == 0))
			return s;
	}
	return NULL;
}

struct servent *
getservbyname(const char *name, const char *protocol)
{
	struct servent *(*next)(const char *, const char *) = dlsym(RTLD_NEXT, "getservbyname");
	const struct service *s = protocol_is_ours(protocol) ? service_find(name) : NULL;

	if (s)
		return service_answer(s, protocol);
	return next ? next(name, protocol) : NULL;
}

struct servent *
getservbyport(int port, const char *protocol)
{
	struct servent *(*next)(int, const char *) = dlsym(RTLD_NEXT, "getservbyport");

	for (size_t i = 0; protocol_is_ours(protocol) && i < sizeof(services) / sizeof(*services);
		i++)
		if (htons(services[i].port) == port)
			return service_answer(&services[i], protocol);
	return next ? next(port, protocol) : NULL;
}

/* libxtables asks for ports this way, too: libc's own look-up would not come by here. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
	struct addrinfo **result)
{
	int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");
	const struct service *s = service ? service_find(service) : NULL;
	char port[8];

	if (!next)
		return EAI_SYSTEM;
	if (!s)
		return next(node, service, hints, result);
	snprintf(port, sizeof(port), "%u", s->port);
	return next(node, port, hints, result);
}

/* One look-up: whoever comes last of the two, asker and resolver, frees it. */
struct question {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done, left;
	struct in_addr address;
	char name[NI_MAXHOST]; /* "": has none */
};

/* The resolver cannot be stopped, only left behind; after that no more is asked. */
static struct {
	struct timespec deadline; /* CLOCK_REALTIME, as pthread_cond_timedwait() has it */
	bool begun, given_up;
} patience;

void
names_begin(void)
{
	clock_gettime(CLOCK_REALTIME, &patience.deadline);
	patience.deadline.tv_sec += NAMES_PATIENCE_MS / 1000;
	patience.deadline.tv_nsec += NAMES_PATIENCE_MS % 1000 * 1000000L;
	if (patience.deadline.tv_nsec >= 1000000000L) {
		patience.deadline.tv_sec++;
		patience.deadline.tv_nsec -= 1000000000L;
	}
	patience.begun = true;
	patience.given_up = false;
}

static void
question_free(struct question *q)
{
	pthread_cond_destroy(&q->answered);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static void
network_name(struct question *q)
{
	char room[1024];
	struct netent entry, *found = NULL;
	int error;

	if (getnetbyaddr_r(ntohl(q->address.s_addr), AF_INET, &entry, room, sizeof(room), &found,
		    &error) == 0 &&
		found)
		snprintf(q->name, sizeof(q->name), "%s", found->n_name);
}

static void *
resolve(void *arg)
{
	struct question *q = arg;
	const struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = q->address};
	bool left;

	if (getnameinfo((const void *)&a, sizeof(a), q->name, sizeof(q->name), NULL, 0, 0) != 0) {
		q->name[0] = '\0';
		network_name(q);
	}
	pthread_mutex_lock(&q->lock);
	q->done = true;
	left = q->left;
	pthread_cond_signal(&q->answered);
	pthread_mutex_unlock(&q->lock);
	if (left)
		question_free(q);
	return NULL;
}

static struct question *
question_ask(const struct in_addr *address)
{
	struct question *q = calloc(1, sizeof(*q));
	pthread_t thread;

	if (!q)
		return NULL;
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->answered, NULL);
	q->address = *address;
	if (pthread_create(&thread, NULL, resolve, q) != 0) {
		question_free(q);
		return NULL;
	}
	pthread_detach(thread);
	return q;
}

/* => false: no name, or none in time */
static bool
question_wait(struct question *q, char *name, size_t size)
{
	bool done;

	pthread_mutex_lock(&q->lock);
	while (!q->done)
		if (pthread_cond_timedwait(&q->answered, &q->lock, &patience.deadline) != 0)
			break;
	done = q->done;
	q->left = true;
	pthread_mutex_unlock(&q->lock);
	if (!done) {
		patience.given_up = true;
		return false;
	}
	snprintf(name, size, "%s", q->name);
	question_free(q);
	return name[0] != '\0';
}

const char *
xtables_ipaddr_to_anyname(const struct in_addr *address)
{
	static char name[NI_MAXHOST]; /* valid until the next call, as libxtables' own */
	static struct in_addr last;
	static bool last_named;
	struct question *q;

	if (last_named && last.s_addr == address->s_addr)
		return name;
	if (!patience.begun)
		names_begin();
	q = patience.given_up ? NULL : question_ask(address);
	last_named = q && question_wait(q, name, sizeof(name));
	last = *address;
	return last_named ? name : xtables_ipaddr_to_numeric(address);
}
