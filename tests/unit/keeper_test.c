/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/keeper/child.h"
#include "fabric/keeper/diff.h"
#include "fabric/keeper/hosts.h"
#include "fabric/keeper/keeper.h"
#include "fabric/keeper/netns.h"
#include "fabric/keeper/osadev.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct config *
read_config(const char *text)
{
	struct cfg_errors errs;
	struct config *c = NULL;

	if (config_read(text, strlen(text), "test", &c, &errs) < 0)
		fail_msg("%s", errs.n > 0 ? errs.text[0] : "no error text");
	cfg_errors_free(&errs);
	return c;
}

/* ---- diff ---- */

#define BASE                                                                                       \
	"fabric: f\n"                                                                              \
	"routers:\n"                                                                               \
	"  r1:\n"                                                                                  \
	"    forward: true\n"                                                                      \
	"    interfaces:\n"                                                                        \
	"      iucv0: {iucv: t1, address: 10.0.0.1}\n"                                             \
	"guests:\n"                                                                                \
	"  t1:\n"                                                                                  \
	"    interfaces:\n"                                                                        \
	"      iucv0: {iucv: r1, address: 10.0.0.2}\n"                                             \
	"      dummy0: {vipa: 192.168.2.1}\n"

static const struct {
	const char *from, *to;
	const char *actions; /* one a line */
} differences[] = {
	{BASE, BASE, ""},
	{BASE, BASE "    run: sleep 1\n", "start program in t1: sleep 1\n"},
	{BASE "    run: sleep 1\n", BASE "    run: sleep 2\n",
		"end program in t1: sleep 1\nstart program in t1: sleep 2\n"},
	{BASE "    run: [a, a]\n", BASE "    run: [a]\n", "end program in t1: a\n"},
	{BASE, BASE "    forward: true\n", "change guest t1: forward on\n"},
	{BASE,
		BASE "    routes:\n      - {to: default, via: 10.0.0.1}\n"
		     "      - {to: 10.9.0.0/16, discard: true}\n",
		"add route t1: discard 10.9.0.0/16\n"},
	{BASE "    routes:\n      - {to: 10.9.0.0/16, via: 10.0.0.1, metric: 3}\n",
		BASE "    routes:\n      - {to: 10.9.0.0/16, dev: iucv0, metric: 3}\n",
		"change route t1: 10.9.0.0/16 metric 3 dev iucv0\n"},
	{BASE,
		BASE "  t2:\n    interfaces:\n      lan0: {lan: l, address: 10.1.0.1/24}\n"
		     "lans:\n  l: {}\n",
		"add lan l\nadd guest t2\n"},
	{BASE "  t2:\n    interfaces:\n      lan0: {lan: l, address: 10.1.0.1/24}\n"
	      "lans:\n  l: {}\n",
		BASE, "remove lan l\nremove guest t2\n"},
	{BASE "      lan0: {lan: l, address: 10.1.0.1/24}\nlans:\n  l: {}\n",
		BASE "      lan0: {lan: l, address: 10.1.0.2/24, up: false}\nlans:\n  l: {}\n",
		"change guest t1: addresses of lan0\nchange guest t1: lan0 down\n"},
	{BASE "      lan0: {lan: l, address: 10.1.0.1/24}\nlans:\n  l: {}\n",
		BASE "lans:\n  l: {}\n", "remove interface t1:lan0\n"},
	{BASE,
		"fabric: f\nrouters:\n  r1:\n    forward: true\n    interfaces:\n"
		"      dummy0: {vipa: 192.168.2.1}\n",
		"add interface r1:dummy0\nremove guest t1\nremove link r1:iucv0=t1:iucv0\n"},
};

static void
differences_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
		struct config *from = read_config(differences[i].from);
		struct config *to = read_config(differences[i].to);
		json_t *actions = diff_actions(from, to), *action;
		char text[1024] = "";
		size_t j, n = 0;

		json_array_foreach (actions, j, action)
			n += (size_t)snprintf(
				text + n, sizeof(text) - n, "%s\n", json_string_value(action));
		assert_string_equal(text, differences[i].actions);
		json_decref(actions);
		config_free(from);
		config_free(to);
	}
}

/* ---- hosts ---- */

static void
hosts_file_names_everyone(void **state)
{
	struct config *c =
		read_config("fabric: f\nlans:\n  l: {}\nguests:\n"
			    "  T1:\n    interfaces:\n      eth0: {lan: l, address: 10.0.0.2/24}\n"
			    "      dummy0: {vipa: 192.168.2.1}\n"
			    "  t2:\n    interfaces:\n      eth0: {lan: l, address: 10.0.0.3/24}\n");
	size_t len;
	char *text = hosts_text(c, &len);

	(void)state;
	assert_non_null(text);
	assert_int_equal(len, strlen(text));
	assert_string_equal(text, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
				  "192.168.2.1 t1\n10.0.0.2 t1-eth0\n192.168.2.1 t1-dummy0\n"
				  "10.0.0.3 t2\n10.0.0.3 t2-eth0\n");
	free(text);
	config_free(c);
}

/* ---- run directory and sweeper ---- */

static char *
scratch(char *path)
{
	strcpy(path, "/tmp/keeper_test.XXXXXX");
	assert_non_null(mkdtemp(path));
	return path;
}

static void
run_directory_has_one_keeper(void **state)
{
	char root[64], path[128];
	struct run_dir a, b;
	struct fault why;
	int fd;

	(void)state;
	scratch(root);
	assert_int_equal(run_dir_take(&a, root, "f", &why), 0);
	assert_int_equal(run_dir_take(&b, root, "f", &why), -EEXIST);
	assert_non_null(strstr(why.text, "a fabric named f runs already"));
	assert_int_equal(run_dir_take(&b, root, "other", &why), 0);
	run_dir_remove(b.root, "other");
	run_dir_close(&b);

	/* Whoever died without a word left files: the next one starts with none. */
	snprintf(path, sizeof(path), "%s/f/sub", root);
	assert_int_equal(mkdir(path, 0700), 0);
	fd = run_dir_create(&a, "sub/file", 0, &why);
	assert_true(fd >= 0);
	assert_int_equal(run_dir_write(fd, "file", "longer text", 11, &why), 0);
	assert_int_equal(run_dir_write(fd, "file", "text", 4, &why), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 4);
	close(fd);
	run_dir_close(&a);
	assert_int_equal(run_dir_take(&a, root, "f", &why), 0);
	assert_int_equal(access(path, F_OK), -1);
	run_dir_remove(a.root, "f");
	run_dir_close(&a);
	assert_int_equal(rmdir(root), 0);
}

static void
foreign_run_directory_is_refused(void **state)
{
	struct run_dir d;
	struct fault why;
	char root[400];

	(void)state;
	memset(root, 'x', sizeof(root));
	root[0] = '/';
	root[sizeof(root) - 1] = '\0';
	assert_int_equal(run_dir_take(&d, root, "f", &why), -ENAMETOOLONG);
	assert_true(run_dir_take(&d, "/dev/null", "f", &why) < 0);
	assert_true(run_dir_take(&d, "/nonexistent/dir", "f", &why) < 0);
	assert_non_null(strstr(why.text, "/nonexistent/dir"));
}

static pid_t
start_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	assert_true(pid > 0);
	return pid;
}

static void
sweeper_leaves_nothing(void **state)
{
	char root[64];
	struct sweeper s;
	struct run_dir d;
	struct fault why;
	pid_t engine = start_sleeper();
	int status;

	(void)state;
	scratch(root);
	assert_int_equal(run_dir_take(&d, root, "f", &why), 0);
	close(run_dir_create(&d, "log", 0, &why));
	assert_int_equal(sweeper_start(&s, &d, &why), 0);
	sweeper_watch(&s, engine);
	sweeper_end(&s);
	assert_int_equal(waitpid(engine, &status, 0), engine);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	run_dir_close(&d);
	assert_int_equal(rmdir(root), 0);
}

/* ---- children ---- */

static void
only_kept_descriptors_stay_open(void **state)
{
	static const int keeps[][3] = {{-1, -1, -1}, {3, 4, 5}, {9, -1, 3}, {5, 7, 7}, {9, 8, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(keeps) / sizeof(keeps[0]); i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			unsigned open_now = 0, wanted = 0;

			for (int fd = 3; fd < 10; fd++)
				dup2(STDIN_FILENO, fd);
			child_close_others(keeps[i], 3);
			for (int fd = 3; fd < 20; fd++)
				open_now |= fcntl(fd, F_GETFD) >= 0 ? 1u << fd : 0;
			for (int j = 0; j < 3; j++)
				wanted |= keeps[i][j] >= 0 ? 1u << keeps[i][j] : 0;
			_exit(open_now != wanted);
		}
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
	}
}

static void
engine_may_crash_five_times_a_minute(void **state)
{
	struct engine_child e = {.pid = 0};

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(engine_child_may_restart(&e, 1000 + i));
	assert_false(engine_child_may_restart(&e, 1000 + 59999));
	assert_true(engine_child_may_restart(&e, 1000 + 60000));
	assert_false(engine_child_may_restart(&e, 1000 + 60000));
}

static void
missing_engine_is_named(void **state)
{
	struct engine_child e = {.pid = 0};
	struct fault why;

	(void)state;
	assert_int_equal(engine_child_find(&e, "/nonexistent/rookeryd", &why), -ENOENT);
	assert_non_null(strstr(why.text, "/nonexistent/rookeryd"));
	assert_int_equal(engine_child_find(&e, "/bin/sh", &why), 0);
	assert_string_equal(e.path, "/bin/sh");
}

static void
program_states_have_words(void **state)
{
	static const struct {
		struct program p;
		const char *text;
	} rows[] = {
		{{.state = PROGRAM_STARTING}, "starting"},
		{{.state = PROGRAM_RUNNING}, "running"},
		{{.state = PROGRAM_EXITED, .code = 3}, "exited 3"},
		{{.state = PROGRAM_KILLED, .code = 9}, "killed by 9"},
		{{.state = PROGRAM_LOST}, "gone with its guest"},
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(program_state_text(&rows[i].p, buf, sizeof(buf)), rows[i].text);
}

static void
faults_are_cut_not_overrun(void **state)
{
	struct fault f;
	char big[3000];

	(void)state;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(fault_set(&f, -EIO, "%s", big), -EIO);
	assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
	assert_int_equal(fault_prefix(&f, -EIO, "guest %s: ", "t1"), -EIO);
	assert_memory_equal(f.text, "guest t1: xxx", 13);
	assert_int_equal(fault_set(NULL, -EIO, "nobody reads this"), -EIO);
}

/* ---- in a network namespace of its own ---- */

#define GUEST(interfaces, rest)                                                                    \
	"fabric: f\nlans:\n  l: {}\nrouters:\n  r1:\n    interfaces:\n"                            \
	"      iucv0: {iucv: t1, address: 10.0.0.1}\nguests:\n  t1:\n    interfaces:\n"            \
	"      iucv0: {iucv: r1, address: 10.0.0.2" interfaces rest

#define DUMMY "      dummy0: {vipa: 192.168.2.1}\n"
#define ROUTES(text) "    routes:\n" text

/* What is in the main table: destination, gateway, metric, device, as /proc/net/route has it. */
static const struct {
	const char *config;
	const char *routes;
} guests[] = {
	{GUEST("}\n", DUMMY), "iucv0 0/0 via 10.0.0.1\niucv0 10.0.0.1/32\n"},
	{GUEST(", sourcevipa: dummy0}\n", DUMMY), "iucv0 0/0 via 10.0.0.1\niucv0 10.0.0.1/32\n"},
	{GUEST(", up: false}\n", DUMMY), ""},
	{GUEST("}\n", "      eth0: {lan: l, address: 10.1.0.2/24}\n" DUMMY ROUTES(
			      "      - {to: 10.9.0.0/16, via: 10.1.0.1, metric: 7}\n"
			      "      - {to: 10.8.0.0/16, discard: true}\n")),
		"* 10.8.0.0/16\neth0 10.1.0.0/24\neth0 10.9.0.0/16 via 10.1.0.1 metric 7\n"
		"iucv0 10.0.0.1/32\n"},
	{GUEST("}\n", "      eth0: {lan: l, address: 10.1.0.2/24}\n" DUMMY ROUTES(
			      "      - {to: 10.9.0.0/16, via: 10.0.0.1, metric: 7}\n")),
		"eth0 10.1.0.0/24\niucv0 10.0.0.1/32\niucv0 10.9.0.0/16 via 10.0.0.1 metric 7\n"},
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
print_routes(char *out, size_t size)
{
	char line[256], dev[16], rows[32][96];
	unsigned to, via, flags, metric, mask;
	size_t n = 0, used = 0;
	FILE *f = fopen("/proc/net/route", "re");

	while (f != NULL && n < 32 && fgets(line, sizeof(line), f) != NULL) {
		char a[ADDR_TEXT], b[ADDR_TEXT];
		struct ip_addr net, gateway;
		int len;

		if (sscanf(line, "%15s %x %x %x %*u %*u %u %x", dev, &to, &via, &flags, &metric,
			    &mask) != 6)
			continue;
		net = ip4(to);
		gateway = ip4(via);
		len = snprintf(rows[n], sizeof(rows[n]), "%s %s/%d", dev,
			to == 0 ? "0" : ip_text(&net, a), __builtin_popcount(mask));
		if (via != 0)
			len += snprintf(rows[n] + len, sizeof(rows[n]) - (size_t)len, " via %s",
				ip_text(&gateway, b));
		if (metric != 0)
			snprintf(
				rows[n] + len, sizeof(rows[n]) - (size_t)len, " metric %u", metric);
		n++;
	}
	if (f != NULL)
		fclose(f);
	qsort(rows, n, sizeof(rows[0]), by_text);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(out + used, size - used, "%s\n", rows[i]);
}

static void
check_routes(const char *expected)
{
	char found[2048];

	print_routes(found, sizeof(found));
	if (strcmp(found, expected) == 0)
		return;
	fprintf(stderr, "found:\n%sexpected:\n%s", found, expected);
	_exit(1);
}

static void
must(int rc, const struct fault *why)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s\n", why->text);
	_exit(1);
}

static void
make_missing(const struct cfg_node *node, struct ns_ports *ports)
{
	struct fault why;

	for (size_t i = 0; i < node->n_ifaces; i++)
		if (ns_ports_find(ports, node->ifaces[i].name) == NULL)
			must(ns_port_make(node, &node->ifaces[i], node->ifaces[i].name,
				     ns_ports_add(ports), &why),
				&why);
	for (size_t i = ports->n; i-- > 0;)
		if (config_iface(node, ports->v[i].name) == NULL)
			ns_ports_remove(ports, ports->v[i].name);
}

/* From each configuration to each: what is there must depend on the last one only. */
static void
change_all_ways(void)
{
	size_t n = sizeof(guests) / sizeof(guests[0]);
	struct config *now = read_config(guests[0].config);
	struct ns_ports ports = {0};
	struct fault why;

	must(ns_build(config_node(now, "t1"), "/proc/sys", &ports, &why), &why);
	check_routes(guests[0].routes);
	for (size_t i = 0; i < n * n; i++) {
		size_t next = i % 2 ? i / n : i % n;
		struct config *to = read_config(guests[next].config);

		make_missing(config_node(to, "t1"), &ports);
		must(ns_change(config_node(now, "t1"), config_node(to, "t1"), "/proc/sys", &why),
			&why);
		check_routes(guests[next].routes);
		config_free(now);
		now = to;
	}
	ns_ports_fini(&ports);
	config_free(now);
}

static void
names_taken_and_missing(void)
{
	struct config *c = read_config(guests[0].config);
	const struct cfg_node *node = config_node(c, "t1");
	struct ns_port a, b;
	struct fault why;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	must(ns_port_make(node, &node->ifaces[0], "x0", &a, &why), &why);
	if (ns_port_make(node, &node->ifaces[0], "x0", &b, &why) != -EBUSY ||
		strcmp(why.text, "the device name x0 is taken already") != 0)
		_exit(2);
	if (osadev_open("osa0", "y0", &why) != -ENODEV ||
		strcmp(why.text, "adapter osa0: there is no network device y0") != 0)
		_exit(3);
	b.fd = osadev_open("osa0", "lo", &why);
	if (b.fd < 0)
		_exit(4);
	close(b.fd);
	close(a.fd);
	config_free(c);
}

static void
in_namespace(void (*run)(void))
{
	int status;
	pid_t pid;

	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		skip();
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			_exit(77);
		run();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void
routes_depend_on_the_last_change_only(void **state)
{
	(void)state;
	in_namespace(change_all_ways);
}

static void
devices_that_cannot_be_had_are_named(void **state)
{
	(void)state;
	in_namespace(names_taken_and_missing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_are_told),
		cmocka_unit_test(hosts_file_names_everyone),
		cmocka_unit_test(run_directory_has_one_keeper),
		cmocka_unit_test(foreign_run_directory_is_refused),
		cmocka_unit_test(sweeper_leaves_nothing),
		cmocka_unit_test(only_kept_descriptors_stay_open),
		cmocka_unit_test(engine_may_crash_five_times_a_minute),
		cmocka_unit_test(missing_engine_is_named),
		cmocka_unit_test(program_states_have_words),
		cmocka_unit_test(faults_are_cut_not_overrun),
		cmocka_unit_test(routes_depend_on_the_last_change_only),
		cmocka_unit_test(devices_that_cannot_be_had_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
