/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/man_pages.h"

#include <stddef.h>

const struct man_section man_rookery_head[] = {
		{"DESCRIPTION",
			"rookery starts fabrics, looks into them and changes them while they run. A fabric is what one "
			"configuration file describes: routers inside a packet engine, the links and LANs between them, and "
			"the guests whose traffic they carry. See rookery.yaml(5).\n\n"
			"Words of a command may be cut short as long as they are clear: 'rookery sh int' is "
			"'rookery show interfaces'."},
		{0},
};

const struct man_section man_rookery_tail[] = {
		{"TRANSPARENT PROXIES",
			"REDIRECT brings the connections of others to a program in the router's control namespace. There the "
			"kernel knows nothing of the translation, which is the engine's: getsockopt(2) with SO_ORIGINAL_DST "
			"fails. A proxy has to go by what it is asked: the Host header of HTTP (privoxy with "
			"accept-intercepted-requests does), or the server name of TLS. 'rookery conntrack -r ROUTER "
			"-L' tells where a connection was to go."},
		{"EXIT STATUS",
			"0: done. 1: failed, and one sentence on standard error says why. 2: the command line is wrong. "
			"'rookery exec' and 'rookery shell' end with the status of the program."},
		{"ENVIRONMENT",
			"ROOKERY_KEEPER: the program to start in place of rookery-keeper.\n\n"
			"ROOKERY_NODE is set for programs that 'rookery exec' runs: the name of the node.\n\n"
			"XDG_RUNTIME_DIR: where an ordinary user's running fabrics are found."},
		{"FILES",
			"/run/rookery/NAME for root, $XDG_RUNTIME_DIR/rookery/NAME or /tmp/rookery-UID/NAME for others: the "
			"sockets, the process id and the log of a running fabric. It is gone when the fabric is stopped."},
		{"SEE ALSO", "rookery.yaml(5), rookeryd(8), rookery-keeper(8), pcap-filter(7), tcpdump(8)"},
		{0},
};

const struct man_section man_yaml_head[] = {
		{"DESCRIPTION",
			"One YAML file describes a fabric. 'rookery check FILE' tells everything that is wrong with it, by line "
			"and column; 'rookery lab FILE' starts it; 'rookery apply FILE' changes the running fabric to it; "
			"'rookery show config' prints it as it is now. Unknown keys are errors."},
		{0},
};

const struct man_section man_yaml_tail[] = {
		{"SEE ALSO", "rookery(1), rookeryd(8), rookery-keeper(8)"},
		{0},
};

const struct man_section man_rookeryd_text[] = {
		{"SYNOPSIS", "rookeryd [--socket PATH] [--run-dir DIR] [--workers N] [--buffers N] [--log-level LEVEL] FILE"},
		{"DESCRIPTION",
			"rookeryd carries the packets of one fabric. rookery-keeper(8) starts it, gives it its configuration "
			"and the descriptors of its ports, and it ends when the keeper does. By hand it runs a fabric whose "
			"guests are simulated and whose adapters are on LANs or DPDK devices.\n\n"
			"It needs neither huge pages nor, for that, privileges; those it was started with it gives up once "
			"the first configuration stands. A worker polls while there is work, then sleeps until a packet or a "
			"command comes; the tunable idle_poll_time says how soon."},
		{"OPTIONS",
			"--socket answers 'rookery show' and the like at PATH. --run-dir is for DPDK's run-time files. --workers "
			"is 1 to 16 (1). --buffers is the number of packet buffers, 2048 to 1048576 (16384). --log-level is "
			"error, warning, notice, info (the default) or debug."},
		{"FILES", "engine.sock in the fabric's run directory answers 'rookery show', 'ping' and 'capture'; log is "
			"where it writes what happens."},
		{"SEE ALSO", "rookery(1), rookery.yaml(5), rookery-keeper(8)"},
		{0},
};

const struct man_section man_keeper_text[] = {
		{"SYNOPSIS", "rookery-keeper [--engine PATH] [--run-dir DIR] [--log-level LEVEL] [--ready-fd N] FILE"},
		{"DESCRIPTION",
			"rookery-keeper makes what a fabric needs of the system and takes it away again: the namespaces of "
			"guests, their interfaces, addresses and routes, their programs, and the engine, rookeryd(8), to which "
			"it hands the ports. It is started by 'rookery lab'. It is the only part of a fabric that keeps "
			"privileges; run by an ordinary user it makes a user namespace for the lab, and has none outside.\n\n"
			"The engine is what --engine names, else ROOKERY_ENGINE, else rookeryd beside rookery-keeper. --run-dir "
			"says where the run directory is made instead of the usual place.\n\n"
			"On the descriptor of --ready-fd it writes 'ok' and a newline when the fabric is up, or one sentence "
			"that says why it cannot be."},
		{"SIGNALS", "SIGTERM and SIGINT: stops the fabric and clears everything away."},
		{"FILES", "keeper.sock in the fabric's run directory answers 'rookery apply', 'exec' and 'lab stop'; "
			"keeper.pid is its process id."},
		{"SEE ALSO", "rookery(1), rookery.yaml(5), rookeryd(8)"},
		{0},
};
