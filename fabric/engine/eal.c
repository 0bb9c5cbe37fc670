/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DPDK's environment layer. Without hugepages its heap is fixed at start, so it holds packet buffers only; tables that grow
 * use the C library. With free hugepages it grows by itself and nothing is put into the file system.
 */
#include "fabric/engine/engine.h"

#include "fabric/base/log.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static bool
hugepages_free(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned long n = 0;
	bool any;

	if (!f)
		return false;
	any = fscanf(f, "%lu", &n) == 1 && n >= 64 && access("/dev/hugepages", W_OK) == 0;
	fclose(f);
	return any;
}

/* "(0-1)@(0,1)" would pin; naming every processor we may use leaves the threads to the scheduler. */
static void
lcores_argument(char *buf, size_t size)
{
	cpu_set_t set;
	size_t n = (size_t)snprintf(buf, size, "0@(");
	const char *comma = "";

	CPU_ZERO(&set);
	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE && n < size - 8; i++) {
		if (!CPU_ISSET(i, &set) || i >= RTE_MAX_LCORE)
			continue;
		n += (size_t)snprintf(buf + n, size - n, "%s%d", comma, i);
		comma = ",";
	}
	snprintf(buf + n, size - n, ")");
}

int
eal_start(const char *run_dir, unsigned buffers)
{
	char lcores[600], prefix[32], memory[16];
	char *huge[] = {"rookeryd", "--in-memory", "--no-pci", "--no-telemetry", "--lcores", lcores, NULL};
	char *plain[] = {"rookeryd", "--no-huge", "-m", memory, "--no-pci", "--no-telemetry", "--no-shconf",
			"--file-prefix", prefix, "--lcores", lcores, NULL};
	char **argv = hugepages_free() ? huge : plain;
	int argc = 0;

	lcores_argument(lcores, sizeof(lcores));
	snprintf(prefix, sizeof(prefix), "rookery-%d", (int)getpid());
	snprintf(memory, sizeof(memory), "%u", buffers / 1024 * 3 + 64 + buffers / 16 * 34 / 1024);
	if (run_dir)
		setenv("RUNTIME_DIRECTORY", run_dir, 1);
	rte_log_set_global_level(RTE_LOG_ERR);
	while (argv[argc])
		argc++;
	if (rte_eal_init(argc, argv) < 0) {
		log_line(LOG_ERROR, "engine", "DPDK does not start: %s", rte_strerror(rte_errno));
		return -rte_errno;
	}
	return 0;
}

void
eal_stop(void)
{
	rte_eal_cleanup();
}
