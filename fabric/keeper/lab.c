/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * newuidmap(1) and newgidmap(1) are set-user-id programs that write the maps of a process; they
 * must run outside of the new user namespace. So a helper is forked first and waits for word that
 * the namespace is there; it answers by its exit status.
 */
#include "fabric/keeper/lab.h"

#include "fabric/keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

struct id_range {
	unsigned long first, count;
};

/* A line is NAME-or-ID:FIRST:COUNT (subuid(5)). => false when the user has none. */
static bool
subordinate_ids(const char *path, struct id_range *out)
{
	const struct passwd *pw = getpwuid(getuid());
	char line[256], id[16], owner[64];
	bool found = false;
	FILE *f = fopen(path, "re");

	snprintf(id, sizeof(id), "%u", (unsigned)getuid());
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%63[^:]:%lu:%lu", owner, &out->first, &out->count) != 3)
			continue;
		found = out->count > 0 &&
			(strcmp(owner, id) == 0 || (pw != NULL && strcmp(owner, pw->pw_name) == 0));
	}
	if (f != NULL)
		fclose(f);
	return found;
}

/* PROGRAM PID 0 OWN 1 1 FIRST COUNT: root inside is the user, the rest comes from its range. */
static int
run_map_program(const char *program, pid_t of, unsigned long own, const struct id_range *r)
{
	char text[5][24];
	int status = 0, null;
	pid_t pid = fork();

	if (pid == 0) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(null, STDERR_FILENO);
		snprintf(text[0], sizeof(text[0]), "%d", (int)of);
		snprintf(text[1], sizeof(text[1]), "%lu", own);
		snprintf(text[2], sizeof(text[2]), "%lu", r->first);
		snprintf(text[3], sizeof(text[3]), "%lu", r->count);
		execlp(program, program, text[0], "0", text[1], "1", "1", text[2], text[3],
			(char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static void __attribute__((noreturn)) map_from_outside(pid_t keeper, int go)
{
	struct id_range uids, gids;
	char byte;

	if (read(go, &byte, 1) != 1)
		_exit(1);
	if (!subordinate_ids("/etc/subuid", &uids) || !subordinate_ids("/etc/subgid", &gids))
		_exit(1);
	_exit(run_map_program("newuidmap", keeper, getuid(), &uids) < 0 ||
		run_map_program("newgidmap", keeper, getgid(), &gids) < 0);
}

static int
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

static int
map_one_id(uid_t uid, gid_t gid)
{
	char map[32];
	int rc;

	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	rc = write_file("/proc/self/uid_map", map);
	if (rc == -EPERM && getuid() == 0) /* newuidmap did its part, newgidmap did not */
		rc = 0;
	if (rc == 0)
		rc = write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	return rc < 0 ? rc : write_file("/proc/self/gid_map", map);
}

/* => whether the helper has mapped the range. */
static bool
finish_helper(pid_t helper, int go)
{
	int status = 0;
	bool told = write(go, "", 1) == 1;

	while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
		;
	return told && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int
enter_user_namespace(bool *one_id, struct fault *why)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int go[2], rc = 0;
	pid_t helper;

	if (pipe2(go, O_CLOEXEC) < 0)
		return fault_set(why, -errno, "cannot make a pipe: %s", strerror(errno));
	helper = fork();
	if (helper == 0) {
		close(go[1]);
		map_from_outside(getppid(), go[0]);
	}
	close(go[0]);
	if (helper < 0)
		rc = fault_set(why, -errno, "cannot start a process: %s", strerror(errno));
	else if (unshare(CLONE_NEWUSER) < 0)
		rc = fault_namespace(why, -errno, "user");
	if (rc < 0) {
		close(go[1]);
		if (helper > 0)
			child_kill(helper);
		return rc;
	}
	*one_id = !finish_helper(helper, go[1]);
	close(go[1]);
	rc = *one_id ? map_one_id(uid, gid) : 0;
	return rc == 0 ? 0
		       : fault_set(why, rc, "cannot map your user id into the lab: %s",
				 strerror(-rc));
}

int
lab_enter(bool *one_id, struct fault *why)
{
	int rc = enter_user_namespace(one_id, why);

	if (rc < 0)
		return rc;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0)
		return fault_namespace(why, -errno, "mount and network");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fault_set(why, -errno, "cannot make mounts private: %s", strerror(errno));
	return 0;
}
