/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rookery ping and traceroute. From a router the engine sends each probe through the router's own stack
 * and tells what became of it; in a guest the programs of the system are run.
 */
#include "fabric/cli/probe.h"

#include "fabric/cli/cli.h"
#include "fabric/cli/destination.h"
#include "fabric/cli/signals.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ARGS = 40, DEFAULT_SIZE = 56, DEFAULT_HOPS = 30, DEFAULT_QUERIES = 3 };

struct probe {
	struct cli *cl;
	const struct config *cfg;
	const struct cfg_node *node;
	char dest[ADDR_TEXT];
};

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static json_t *
probe_request(const struct probe *p, unsigned seq)
{
	const struct parsed *args = &p->cl->args;
	const char *pmtu = parsed_value(args, "pmtudisc"), *src = parsed_value(args, "source");
	json_t *r = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "op", "probe", "node", p->node->name, "to",
			p->dest, "seq", (int)(seq & 0xffff), "size", (int)parsed_number(args, "size", DEFAULT_SIZE),
			"timeout_ms", (int)(parsed_seconds(args, "timeout", 1) * 1000));

	if (pmtu)
		json_object_set_new(r, "df", json_boolean(strcmp(pmtu, "do") == 0));
	if (src)
		json_object_set_new(r, "src", json_string(src));
	return r;
}

static json_t *
send_probe(const struct probe *p, json_t *request)
{
	return client_call(&p->cl->client, PEER_ENGINE, request);
}

static int
ping_router(const struct probe *p)
{
	const struct parsed *args = &p->cl->args;
	long count = parsed_number(args, "count", -1), ttl = parsed_number(args, "ttl", 0);
	long size = parsed_number(args, "size", DEFAULT_SIZE);
	double interval = parsed_seconds(args, "interval", 1) * 1000, begin = now_ms(), due = begin;
	struct ping_stats stats = {0};

	printf("PING %s (%s) from %s: %ld(%ld) bytes of data.\n", parsed_value(args, "DEST"), p->dest,
			p->node->name, size, size + 28);
	for (unsigned seq = 1; count < 0 || (long)seq <= count; seq++) {
		json_t *request = probe_request(p, seq), *reply;

		if (ttl)
			json_object_set_new(request, "ttl", json_integer(ttl));
		reply = send_probe(p, request);
		if (!reply)
			return STATUS_FAILED;
		ping_reply(&stats, reply, seq, p->dest, stdout);
		json_decref(reply);
		fflush(stdout);
		due += interval;
		if ((long)seq != count && signals_sleep(due > now_ms() ? (due - now_ms()) / 1000 : 0))
			break;
	}
	ping_summary(&stats, p->dest, now_ms() - begin, stdout);
	return stats.received ? STATUS_OK : STATUS_FAILED;
}

static void
print_hop(const struct probe *p, const char *from)
{
	const struct cfg_node *owner =
			cli_arg(p->cl, "numeric") ? NULL : destination_owner(p->cfg, from);

	if (owner)
		printf("  %s (%s)", owner->name, from);
	else
		printf("  %s", from);
}

/* The probes of one TTL. => 1 when the journey ends here, 0 when not, -1 after a complaint. */
static int
trace_hop(const struct probe *p, unsigned ttl, unsigned queries)
{
	char last[ADDR_TEXT] = "";
	int end = 0;

	printf("%2u", ttl);
	for (unsigned q = 0; q < queries; q++) {
		json_t *request = probe_request(p, ttl * 16 + q), *reply;
		const char *kind, *from;

		json_object_set_new(request, "ttl", json_integer(ttl));
		reply = send_probe(p, request);
		kind = json_string_value(json_object_get(reply, "reply"));
		from = json_string_value(json_object_get(reply, "from"));
		if (kind && strcmp(kind, "drop") == 0) {
			printf("  dropped here: %s", json_string_value(json_object_get(reply, "reason")));
			end = 1;
			q = queries;
		} else if (kind && from) {
			if (strcmp(from, last) != 0)
				print_hop(p, from);
			snprintf(last, sizeof(last), "%s", from);
			traceroute_annotate(reply, stdout);
			end |= strcmp(kind, "time-exceeded") != 0;
		} else {
			printf("  *");
		}
		fflush(stdout);
		if (!reply)
			return -1;
		json_decref(reply);
	}
	putchar('\n');
	return end;
}

static int
trace_router(const struct probe *p)
{
	long hops = parsed_number(&p->cl->args, "max-hops", DEFAULT_HOPS);
	long queries = parsed_number(&p->cl->args, "queries", DEFAULT_QUERIES);

	printf("traceroute to %s (%s) from %s, %ld hops max\n", cli_arg(p->cl, "DEST"), p->dest, p->node->name,
			hops);
	for (long ttl = 1; ttl <= hops; ttl++) {
		int end = trace_hop(p, (unsigned)ttl, (unsigned)queries);

		if (end < 0)
			return STATUS_FAILED;
		if (end || signals_sleep(0))
			break;
	}
	return STATUS_OK;
}

/* An option that both know under the same letter goes to the system's program as it is. */
static int
probe_guest(const struct probe *p, const char *program, const char *letters)
{
	const char *argv[MAX_ARGS] = {program};
	char options[MAX_ARGS][4];
	size_t n = 1;

	for (size_t i = 0; i < p->cl->args.n_values && n + 3 < MAX_ARGS; i++) {
		const struct value *v = &p->cl->args.values[i];

		if (!v->arg->letter || !strchr(letters, v->arg->letter))
			continue;
		snprintf(options[n], sizeof(options[n]), "-%c", v->arg->letter);
		argv[n] = options[n];
		n++;
		if (v->arg->kind != ARG_FLAG)
			argv[n++] = v->text;
	}
	argv[n++] = p->dest;
	signals_release();
	return enter_run(p->cl, p->node->name, (char *const *)argv);
}

static int
probe_from(struct cli *cl, int (*router)(const struct probe *p), const char *program, const char *letters)
{
	struct probe p = {.cl = cl, .cfg = client_config(&cl->client, NULL)};
	int status = STATUS_FAILED;

	if (!p.cfg)
		return STATUS_FAILED;
	signals_catch();
	p.node = client_node(p.cfg, cli_arg(cl, "NODE"));
	if (!p.node || destination_resolve(p.cfg, cli_arg(cl, "DEST"), p.dest) < 0)
		status = STATUS_FAILED;
	else if (p.node->kind == CFG_GUEST_SIMULATED)
		status = complain("%s is a simulated guest: it answers, but sends nothing by itself", p.node->name);
	else if (p.node->kind == CFG_ROUTER)
		status = router(&p);
	else
		status = probe_guest(&p, program, letters);
	config_free((struct config *)p.cfg);
	return status;
}

int
run_ping(struct cli *cl)
{
	return probe_from(cl, ping_router, "ping", "cisItMW");
}

int
run_traceroute(struct cli *cl)
{
	return probe_from(cl, trace_router, "traceroute", "mqn");
}
