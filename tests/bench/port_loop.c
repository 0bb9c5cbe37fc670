/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_loop [streams [seconds]]: TCP between two network namespaces, each behind a TUN device,
 * whose packets one thread carries from the one port to the other and back. What it reaches is what
 * the ports alone allow. Needs iperf3 and root (or a lab's namespaces).
 *
 *   namespace 1, 10.9.0.1, iperf3 -s  <- TUN -> loop <- TUN ->  namespace 2, 10.9.0.2, iperf3 -c
 */
#include "tests/unit/support/ports.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 64 };

static int
tun_in_new_netns(const char *address, const char *peer)
{
	char command[128];
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		perror("unshare");
		exit(1);
	}
	fd = ports_tun("iucv0", false, address);
	snprintf(command, sizeof(command), "ip route add %s dev iucv0", peer);
	if (system(command) != 0)
		exit(1);
	return fd;
}

static pid_t
start(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Polls for 50 us after the last packet, then sleeps, until `client` has ended. */
static void
carry(struct env *env, struct port *ports[2], pid_t client)
{
	struct pkt *burst[BURST];
	uint64_t last = now_ns();

	for (;;) {
		unsigned moved = 0;

		for (int i = 0; i < 2; i++) {
			uint16_t n = ports[i]->ops->rx(ports[i], env, burst, BURST);

			ports[!i]->ops->tx(ports[!i], env, burst, n);
			moved += n;
		}
		if (moved) {
			last = now_ns();
		} else if (now_ns() - last > 50000) {
			struct pollfd fds[2] = {{ports[0]->fd, POLLIN, 0}, {ports[1]->fd, POLLIN, 0}};

			poll(fds, 2, 100);
			if (waitpid(client, NULL, WNOHANG) == client)
				return;
		}
	}
}

int
main(int argc, char **argv)
{
	char *streams = argc > 1 ? argv[1] : (char *)"1", *seconds = argc > 2 ? argv[2] : (char *)"5";
	char *server[] = {(char *)"iperf3", (char *)"-s", (char *)"-1", (char *)"-I", (char *)"/dev/null", NULL};
	char *client[] = {(char *)"sh", (char *)"-c",
			(char *)"sleep 0.5; exec iperf3 -c 10.9.0.1 -P \"$0\" -t \"$1\" -f m | tail -4", streams, seconds, NULL};
	struct port_pools pools;
	struct port *ports[2];
	struct env *env;
	pid_t s;

	if (!ports_eal())
		return 1;
	pools = ports_pools(2048);
	env = ports_env(&pools);
	ports[0] = tun_port_new("server", tun_in_new_netns("10.9.0.1/32", "10.9.0.2"), false, 1500, &pools);
	s = start(server);
	ports[1] = tun_port_new("client", tun_in_new_netns("10.9.0.2/32", "10.9.0.1"), false, 1500, &pools);
	carry(env, ports, start(client));
	waitpid(s, NULL, 0);
	for (int i = 0; i < 2; i++)
		printf("%s: rx %lu packets %lu bytes %lu drops, tx %lu packets %lu drops\n", ports[i]->name,
				ports[i]->count.rx_packets, ports[i]->count.rx_bytes, ports[i]->count.rx_drops,
				ports[i]->count.tx_packets, ports[i]->count.tx_drops);
	for (int i = 0; i < 2; i++)
		ports[i]->ops->close(ports[i]);
	printf("buffers in use: %u\n", ports_in_use(&pools));
	ports_env_free(env);
	return 0;
}
