/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/engine/compile.h"

#include "fabric/base/log.h"
#include "filters/classifier.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <time.h>

enum { QUIET_MS = 200, NICE = 10 };

struct job {
	const struct ruleset *ruleset;
	TAILQ_ENTRY(job) link;
};

struct compiler {
	pthread_mutex_t mutex;
	pthread_cond_t changed; /* any of what follows; CLOCK_MONOTONIC */
	TAILQ_HEAD(, job) jobs;
	const struct ruleset *current; /* at which the thread is, without the mutex */
	struct timespec due;           /* when the rules have been quiet */
	bool stop, started;            /* started: control thread */
	atomic_bool cancel;            /* give `current` up */
	pthread_t thread;
};

static struct timespec
in_ms(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static bool
is_past(const struct timespec *t)
{
	const struct timespec now = in_ms(0);

	return now.tv_sec != t->tv_sec ? now.tv_sec > t->tv_sec : now.tv_nsec >= t->tv_nsec;
}

static void
compile_chain(struct compiler *c, struct ruleset_chain *chain)
{
	struct classifier *compiled;

	if (!classifier_wanted(chain))
		return;
	compiled = classifier_new(chain, &c->cancel);
	if (compiled)
		classifier_publish(chain, compiled);
	else if (errno == ENOMEM)
		log_line(LOG_ERROR, "engine", "no memory to compile the %u rules of chain %s",
			chain->n_rules, chain->name);
}

static void
compile_all(struct compiler *c, const struct ruleset *r)
{
	for (int t = 0; t < TABLE_COUNT; t++) {
		for (uint32_t i = 0; i < r->tables[t].n_chains && !atomic_load(&c->cancel); i++)
			compile_chain(c, r->tables[t].chains[i]);
	}
}

/* The next ruleset that is due, out of the list, or NULL: to stop. With the mutex. */
static const struct ruleset *
next_job(struct compiler *c)
{
	const struct ruleset *r;
	struct job *job;

	for (;;) {
		job = TAILQ_FIRST(&c->jobs);
		if (c->stop)
			return NULL;
		if (job && is_past(&c->due))
			break;
		if (job)
			pthread_cond_timedwait(&c->changed, &c->mutex, &c->due);
		else
			pthread_cond_wait(&c->changed, &c->mutex);
	}
	r = job->ruleset;
	TAILQ_REMOVE(&c->jobs, job, link);
	free(job);
	return r;
}

static void *
compile_main(void *arg)
{
	struct compiler *c = arg;

	setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone: that is Linux' way */
	pthread_setname_np(pthread_self(), "compile");
	pthread_mutex_lock(&c->mutex);
	while ((c->current = next_job(c))) {
		pthread_mutex_unlock(&c->mutex);
		compile_all(c, c->current);
		pthread_mutex_lock(&c->mutex);
		c->current = NULL;
		atomic_store(&c->cancel, false);
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

struct compiler *
compile_new(void)
{
	struct compiler *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	if (!c)
		return NULL;
	TAILQ_INIT(&c->jobs);
	pthread_mutex_init(&c->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	return c;
}

void
compile_free(struct compiler *c)
{
	struct job *job;

	if (!c)
		return;
	pthread_mutex_lock(&c->mutex);
	c->stop = true;
	atomic_store(&c->cancel, true);
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	if (c->started)
		pthread_join(c->thread, NULL);
	while ((job = TAILQ_FIRST(&c->jobs))) {
		TAILQ_REMOVE(&c->jobs, job, link);
		free(job);
	}
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}

/* Signals are the control thread's. */
static int
start(struct compiler *c)
{
	sigset_t all, before;
	int rc;

	if (c->started)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&c->thread, NULL, compile_main, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	c->started = rc == 0;
	return rc;
}

static bool
any_wanted(const struct ruleset *r)
{
	for (int t = 0; t < TABLE_COUNT; t++) {
		for (uint32_t i = 0; i < r->tables[t].n_chains; i++) {
			if (classifier_wanted(r->tables[t].chains[i]))
				return true;
		}
	}
	return false;
}

static struct job *
job_of(struct compiler *c, const struct ruleset *r)
{
	struct job *job;

	TAILQ_FOREACH (job, &c->jobs, link) {
		if (job->ruleset == r)
			break;
	}
	return job;
}

static int
add_job(struct compiler *c, const struct ruleset *r)
{
	struct job *job;

	c->due = in_ms(QUIET_MS);
	if (c->current == r || job_of(c, r))
		return 0;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->ruleset = r;
	TAILQ_INSERT_TAIL(&c->jobs, job, link);
	pthread_cond_broadcast(&c->changed);
	return 0;
}

int
compile_ruleset(struct compiler *c, const struct ruleset *r)
{
	int rc;

	if (!any_wanted(r))
		return 0;
	rc = start(c);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->mutex);
	rc = add_job(c, r);
	pthread_mutex_unlock(&c->mutex);
	return rc;
}

void
compile_forget(struct compiler *c, const struct ruleset *r)
{
	struct job *job;

	if (!c)
		return;
	pthread_mutex_lock(&c->mutex);
	job = job_of(c, r);
	if (job) {
		TAILQ_REMOVE(&c->jobs, job, link);
		free(job);
	}
	while (c->current == r) {
		atomic_store(&c->cancel, true);
		pthread_cond_wait(&c->changed, &c->mutex);
	}
	pthread_mutex_unlock(&c->mutex);
}

bool
compile_wait(struct compiler *c, unsigned ms)
{
	const struct timespec end = in_ms(ms);
	bool busy;

	pthread_mutex_lock(&c->mutex);
	while ((busy = c->current || !TAILQ_EMPTY(&c->jobs)) && !is_past(&end))
		pthread_cond_timedwait(&c->changed, &c->mutex, &end);
	pthread_mutex_unlock(&c->mutex);
	return !busy;
}
