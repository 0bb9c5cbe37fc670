/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/support/ports.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static char runtime_dir[] = "/tmp/rookery-test-XXXXXX";
static pid_t owner;

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_runtime_dir(void)
{
	if (getpid() == owner)
		nftw(runtime_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

bool
ports_eal(void)
{
	char prefix[32];
	char *argv[] = {(char *)"test", (char *)"--no-huge", (char *)"-m", (char *)"96", (char *)"--no-pci",
			(char *)"--no-telemetry", (char *)"--lcores", (char *)"(0)@(0-1)", (char *)"--file-prefix", prefix,
			(char *)"--log-level", (char *)"lib.*:error", NULL};

	if (owner)
		return true;
	if (!mkdtemp(runtime_dir))
		die("mkdtemp");
	owner = getpid();
	atexit(remove_runtime_dir);
	setenv("RUNTIME_DIRECTORY", runtime_dir, 1);
	snprintf(prefix, sizeof(prefix), "test%d", (int)owner);
	return rte_eal_init(12, argv) >= 0;
}

struct port_pools
ports_pools(unsigned n)
{
	static unsigned serial;
	struct port_pools pools;
	char name[32];

	snprintf(name, sizeof(name), "small%u", serial);
	pools.small = rte_pktmbuf_pool_create(name, n, 64, sizeof(struct pkt), PKT_HEADROOM + PORT_SMALL, SOCKET_ID_ANY);
	snprintf(name, sizeof(name), "large%u", serial++);
	pools.large = rte_pktmbuf_pool_create(name, n / 4, 32, sizeof(struct pkt), PKT_HEADROOM + PORT_LARGE,
			SOCKET_ID_ANY);
	if (!pools.small || !pools.large) {
		errno = rte_errno;
		die("pools");
	}
	return pools;
}

struct pool_env {
	struct env env;
	struct port_pools pools;
	struct epoch epoch;
};

static struct pkt *
make_packet(struct env *env, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(((struct pool_env *)env)->pools.small);

	if (!m)
		return NULL;
	rte_pktmbuf_append(m, (uint16_t)len);
	pkt_reset(pkt_of(m));
	return pkt_of(m);
}

static struct pkt *
copy_packet(struct env *env, const struct pkt *p)
{
	struct rte_mbuf *m = rte_pktmbuf_copy(pkt_mbuf(p), ((struct pool_env *)env)->pools.small, 0, UINT32_MAX);

	if (!m)
		return NULL;
	*pkt_of(m) = *p;
	return pkt_of(m);
}

static void
free_packet(struct env *env, struct pkt *p)
{
	(void)env;
	rte_pktmbuf_free(pkt_mbuf(p));
}

static void
drop_emitted(struct env *env, struct pkt *p, enum pkt_origin origin)
{
	(void)origin;
	pkt_drop(env, &env->drops, p, DROP_SLOW_QUEUE);
}

struct env *
ports_env(const struct port_pools *pools)
{
	static const struct env_ops ops = {
			.pkt_new = make_packet, .pkt_copy = copy_packet, .pkt_free = free_packet, .emit = drop_emitted};
	struct pool_env *e = calloc(1, sizeof(*e));

	if (!e)
		die("env");
	e->pools = *pools;
	e->env = (struct env){.ops = &ops, .epoch = &e->epoch, .random = 1};
	return &e->env;
}

void
ports_env_free(struct env *env)
{
	free(env);
}

unsigned
ports_in_use(const struct port_pools *pools)
{
	return rte_mempool_in_use_count(pools->small) + rte_mempool_in_use_count(pools->large);
}

static bool
write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

bool
ports_scratch_netns(void)
{
	char uid_map[32], gid_map[32];

	snprintf(uid_map, sizeof(uid_map), "0 %d 1", (int)getuid());
	snprintf(gid_map, sizeof(gid_map), "0 %d 1", (int)getgid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	write_file("/proc/self/setgroups", "deny");
	return write_file("/proc/self/uid_map", uid_map) && write_file("/proc/self/gid_map", gid_map);
}

int
ports_tun(const char *name, bool frames, const char *address)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), size = 12;
	struct ifreq r = {.ifr_flags = (short)((frames ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_VNET_HDR)};
	char command[256];

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 ||
			ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0)
		die("tun");
	snprintf(command, sizeof(command), "ip link set lo up; ip link set %s up", name);
	if (address)
		snprintf(command, sizeof(command), "ip link set lo up; ip link set %s up; ip address add %s dev %s", name,
				address, name);
	if (system(command) != 0)
		die(command);
	return fd;
}
