/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every command, with its help. */
#include "fabric/cli/cli.h"
#include "fabric/cli/render.h"

#define OPTION(short, long, ...) {.letter = short, .name = long, ##__VA_ARGS__}
#define WORD(word, type, text, ...) {.name = word, .kind = type, .help = text, ##__VA_ARGS__}
#define KEYWORD(word, type, arg, text, ...) \
	{.name = word, .kind = type, .value = arg, .help = text, ##__VA_ARGS__}
#define JSON OPTION('j', "json", .help = "print JSON")
#define END {0}

const struct arg common_options[] = {
		OPTION('f', "fabric", .kind = ARG_FABRIC, .value = "NAME",
				.help = "the fabric; not needed when only one is running"),
		OPTION('h', "help", .help = "tell about the command"),
		OPTION('V', "version", .help = "print the version"),
		END,
};

static const struct arg json_only[] = {JSON, END};

static const struct arg check_words[] = {
		WORD("FILE", ARG_FILE, "a configuration, see rookery.yaml(5)", .flags = ARG_MANY),
		END,
};

static const struct arg lab_words[] = {
		WORD("FILE", ARG_FILE, "a configuration, see rookery.yaml(5)"),
		END,
};

static const struct arg lab_options[] = {
		OPTION('d', "detach", .help = "return when the fabric is up, and leave it running"),
		OPTION('l', "log-level", .kind = ARG_CHOICE, .value = "LEVEL",
				.choices = "error|warning|notice|info|debug", .help = "what goes to the log"),
		END,
};

static const struct arg stop_words[] = {
		WORD("NAME", ARG_FABRIC, "the fabric", .flags = ARG_OPTIONAL),
		END,
};

static const struct arg exec_words[] = {
		WORD("NODE", ARG_NODE, "a guest, or a router with a control namespace"),
		WORD("PROGRAM", ARG_PROGRAM, "a program and its arguments", .flags = ARG_REST),
		END,
};

static const struct arg tool_words[] = {
		WORD("ARGUMENT", ARG_TEXT, "-r ROUTER, then what the tool takes", .flags = ARG_REST | ARG_OPTIONAL),
		END,
};

static const struct arg node_word[] = {
		WORD("NODE", ARG_NODE, "a guest, or a router with a control namespace"),
		END,
};

static const struct arg dry_run[] = {
		OPTION('n', "dry-run", .help = "tell what would be done, and do nothing"),
		END,
};

static const struct arg apply_words[] = {
		WORD("FILE", ARG_FILE, "the configuration as it is to be"),
		END,
};

static const struct arg guest_new[] = {
		WORD("NAME", ARG_TEXT, "user id of the new guest, 1 to 8 characters"),
		END,
};

static const struct arg guest_options[] = {
		OPTION('t', "to", .kind = ARG_ROUTER, .value = "ROUTER", .help = "link it to this router"),
		OPTION('L', "lan", .kind = ARG_LAN, .value = "LAN", .help = "or: put it on this LAN"),
		OPTION('k', "kind", .kind = ARG_CHOICE, .value = "KIND", .choices = "iucv|ctc",
				.help = "kind of the link: iucv (default) or ctc"),
		OPTION('a', "address", .kind = ARG_PREFIX, .value = "ADDRESS",
				.help = "its address; on a LAN with /LENGTH; on a link chosen when left out"),
		OPTION('p', "peer", .kind = ARG_ADDRESS, .value = "ADDRESS",
				.help = "address of the router's end; on a LAN: the gateway"),
		OPTION('v', "vipa", .kind = ARG_PREFIX, .value = "ADDRESS",
				.help = "its VIPA on dummy0; the router gets a host route to it"),
		OPTION('S', "simulated", .help = "a guest inside the engine, not a namespace"),
		OPTION('r', "run", .kind = ARG_TEXT, .value = "COMMAND", .flags = ARG_MANY,
				.help = "a program that runs in it; may be repeated"),
		OPTION('n', "dry-run", .help = "tell what would be done, and do nothing"),
		END,
};

static const struct arg guest_old[] = {
		WORD("NAME", ARG_GUEST, "the guest"),
		END,
};

static const struct arg route_words[] = {
		WORD("NODE", ARG_NODE, "a router or a guest"),
		WORD("PREFIX", ARG_PREFIX, "the destination: ADDRESS/LENGTH, ADDRESS, or default"),
		END,
};

static const struct arg route_keywords[] = {
		KEYWORD("via", ARG_ADDRESS, "ADDRESS", "the next hop"),
		KEYWORD("dev", ARG_IFACE, "INTERFACE", "the interface; follows from the next hop when left out"),
		KEYWORD("discard", ARG_FLAG, NULL, "drop what goes there, without a word"),
		KEYWORD("unreachable", ARG_FLAG, NULL, "refuse it: host unreachable"),
		KEYWORD("prohibit", ARG_FLAG, NULL, "refuse it: administratively prohibited"),
		KEYWORD("metric", ARG_NUMBER, "N", "smaller is better; default 0", .max = 4294967295),
		KEYWORD("table", ARG_NUMBER, "N", "the route table; default 254, main", .min = 1, .max = 4294967295),
		KEYWORD("src", ARG_ADDRESS, "ADDRESS", "the preferred source address"),
		END,
};

#define ROUTE_SYNOPSIS "(via ADDRESS [dev IF] | dev IF | discard | unreachable | prohibit) " \
	"[metric N] [table N] [src ADDRESS]"

static const struct arg set_iface_words[] = {
		WORD("NODE", ARG_NODE, "a router or a guest"),
		WORD("INTERFACE", ARG_IFACE, "one of its interfaces"),
		END,
};

static const struct arg set_iface_keywords[] = {
		KEYWORD("up", ARG_FLAG, NULL, "set it up"),
		KEYWORD("down", ARG_FLAG, NULL, "set it down; routes through it stay, and come back with it"),
		KEYWORD("mtu", ARG_NUMBER, "N", "its largest packet, in bytes", .min = 68, .max = 65535),
		END,
};

static const struct arg set_tunable_words[] = {
		WORD("NODE", ARG_ROUTER, "a router; without one the whole fabric", .flags = ARG_OPTIONAL),
		WORD("NAME", ARG_TUNABLE, "the tunable, see 'rookery show tunables'"),
		WORD("VALUE", ARG_NUMBER, "its new value", .max = 1000000000000),
		END,
};

static const struct arg show_words[] = {
		WORD("NODE", ARG_NODE, "only this router or guest", .flags = ARG_OPTIONAL),
		END,
};

#define SHOW_OPTIONS \
	JSON, \
	OPTION('H', "human", .help = "large numbers with units: 1.5k, 20M"), \
	OPTION('w', "watch", .kind = ARG_SECONDS, .value = "SECONDS", \
			.min = 0, .max = 86400, .help = "again and again, this long apart; Ctrl-C ends it")

static const struct arg show_options[] = {SHOW_OPTIONS, END};

static const struct arg drops_options[] = {
		SHOW_OPTIONS,
		OPTION('a', "all", .help = "also the reasons that never occurred"),
		END,
};

static const struct arg osa_word[] = {
		WORD("ADAPTER", ARG_OSA, "only this adapter", .flags = ARG_OPTIONAL),
		END,
};

static const struct arg oat_options[] = {
		SHOW_OPTIONS,
		OPTION('d', "drops", .help = "instead: the last addresses that the adapter had no entry for, and who asked"),
		END,
};

static const struct arg entry_words[] = {
		WORD("ADAPTER", ARG_OSA, "the adapter"),
		WORD("NODE", ARG_NODE, "the router or guest that is to get its packets"),
		WORD("ADDRESS", ARG_ADDRESS, "the address"),
		END,
};

#define INTERFACE_OPTION \
	OPTION('i', "interface", .kind = ARG_IFACE, .value = "INTERFACE", \
			.help = "which of its interfaces; not needed when only one is on the adapter")

static const struct arg entry_options[] = {
		OPTION('k', "kind", .kind = ARG_CHOICE, .value = "KIND", .choices = "address|vipa|rxip",
				.help = "address (default): taken over from others if ipato covers it; vipa: not announced by ARP; rxip: for "
					"somebody behind the node, always taken over"),
		INTERFACE_OPTION,
		OPTION('n', "dry-run", .help = "tell what would be done, and do nothing"),
		END,
};

static const struct arg import_words[] = {
		WORD("ADAPTER", ARG_OSA, "an adapter of mode ose"),
		WORD("FILE", ARG_FILE, "lines of ADDRESS NODE [INTERFACE]"),
		END,
};

static const struct arg osa_words[] = {
		WORD("ADAPTER", ARG_OSA, "the adapter"),
		WORD("WHAT", ARG_CHOICE, "what is to change", .choices = "role|isolation|online|offline|plug|unplug"),
		WORD("NODE", ARG_NODE, "of which router or guest; not with plug and unplug", .flags = ARG_OPTIONAL),
		WORD("WORD", ARG_TEXT, "role: no_router, primary_router, secondary_router, multicast_router, ...; isolation: none, forward or drop",
				.flags = ARG_OPTIONAL),
		END,
};

static const struct arg osa_options[] = {
		OPTION('p', "protocol", .kind = ARG_CHOICE, .value = "PROTOCOL", .choices = "ipv4|ipv6",
				.help = "role: of this protocol only"),
		INTERFACE_OPTION,
		OPTION('n', "dry-run", .help = "tell what would be done, and do nothing"),
		END,
};

static const struct arg qethconf_words[] = {
		WORD("TYPE", ARG_CHOICE, "takeover, VIPA, or proxy ARP (also rxip)", .choices = "ipa|vipa|parp|rxip|list_all"),
		WORD("ACTION", ARG_CHOICE, "what to do", .flags = ARG_OPTIONAL, .choices = "add|del|inv4|inv6|list"),
		WORD("ADDRESS", ARG_TEXT, "with ipa: ADDRESS/MASK_BITS; dotted, IPv6, or eight hexadecimal digits", .flags = ARG_OPTIONAL),
		WORD("INTERFACE", ARG_WHERE, "NODE:INTERFACE", .flags = ARG_OPTIONAL),
		END,
};

static const struct arg ping_words[] = {
		WORD("NODE", ARG_NODE, "the router or guest that asks"),
		WORD("DEST", ARG_NODE, "an address, or a node: then its VIPA or first address"),
		END,
};

static const struct arg ping_options[] = {
		OPTION('c', "count", .kind = ARG_NUMBER, .value = "N", .min = 1, .max = 1000000000,
				.help = "stop after N requests; else Ctrl-C does"),
		OPTION('i', "interval", .kind = ARG_SECONDS, .value = "SECONDS", .min = 0, .max = 3600,
				.help = "between two requests; default 1"),
		OPTION('s', "size", .kind = ARG_NUMBER, .value = "BYTES", .min = 0, .max = 65507,
				.help = "data in a request; default 56"),
		OPTION('I', "source", .kind = ARG_TEXT, .value = "ADDRESS", .help = "its source address"),
		OPTION('t', "ttl", .kind = ARG_NUMBER, .value = "N", .min = 1, .max = 255, .help = "its TTL"),
		OPTION('M', "pmtudisc", .kind = ARG_CHOICE, .value = "do|dont", .choices = "do|dont",
				.help = "do: never fragment; dont: fragment where needed (default)"),
		OPTION('W', "timeout", .kind = ARG_SECONDS, .value = "SECONDS", .min = 0, .max = 3600,
				.help = "how long to wait for a reply; default 1"),
		END,
};

static const struct arg traceroute_options[] = {
		OPTION('m', "max-hops", .kind = ARG_NUMBER, .value = "N", .min = 1, .max = 255,
				.help = "the last TTL to try; default 30"),
		OPTION('q', "queries", .kind = ARG_NUMBER, .value = "N", .min = 1, .max = 10,
				.help = "requests a hop; default 3"),
		OPTION('n', "numeric", .help = "addresses only, no names of nodes"),
		OPTION('W', "timeout", .kind = ARG_SECONDS, .value = "SECONDS", .min = 0, .max = 3600,
				.help = "how long to wait for a reply; default 1"),
		END,
};

static const struct arg capture_words[] = {
		WORD("WHERE", ARG_WHERE, "NODE:INTERFACE, or the name of a link as in 'rookery show links'"),
		WORD("FILTER", ARG_TEXT, "which packets, see pcap-filter(7)", .flags = ARG_OPTIONAL | ARG_MANY),
		END,
};

static const struct arg capture_options[] = {
		OPTION('w', "write", .kind = ARG_FILE, .value = "FILE",
				.help = "write a pcap file; -: to standard output, for a pipe"),
		OPTION('c', "count", .kind = ARG_NUMBER, .value = "N", .min = 1, .max = 1000000000000,
				.help = "stop after N packets; else Ctrl-C does"),
		OPTION('s', "snaplen", .kind = ARG_NUMBER, .value = "BYTES", .min = 1, .max = 262144,
				.help = "keep this much of each packet; default all"),
		JSON,
		END,
};

static const struct arg help_words[] = {
		WORD("COMMAND", ARG_COMMAND, "the words of a command", .flags = ARG_OPTIONAL | ARG_MANY),
		END,
};

static const struct arg shell_words[] = {
		WORD("SHELL", ARG_CHOICE, "bash", .choices = "bash"),
		END,
};

static const struct arg man_words[] = {
		WORD("PAGE", ARG_CHOICE, "the page", .choices = "rookery|rookeryd|rookery-keeper|rookery.yaml"),
		END,
};

static const struct arg complete_words[] = {
		WORD("WORDS", ARG_TEXT, "the line so far", .flags = ARG_OPTIONAL | ARG_REST),
		END,
};

#define COMMAND(words, function, line, ...) \
	{.path = words, .run = function, .help = line, ##__VA_ARGS__}
#define SHOW(words, index, line) \
	COMMAND("show " words, run_show, line, .operands = show_words, .options = show_options, \
			.data = &listings[index])

/* Their arguments are the tool's own: they go past this parser (filter_tools.c). */
#define TOOL(words, line, more) \
	COMMAND(words, run_tool, line, .operands = tool_words, .synopsis = "[-r ROUTER] [ARGUMENT]...", .text = more)

const struct command commands[] = {
		COMMAND("check", run_check, "read configurations and tell what is wrong with them",
				.operands = check_words, .options = json_only,
				.text = "Every error is told as FILE:LINE:COLUMN. A good file gives one line."),
		COMMAND("lab", run_lab, "start a fabric with its guests",
				.operands = lab_words, .options = lab_options,
				.text = "Stays until Ctrl-C, which stops everything; with -d it returns as soon as the "
					"fabric is up.\n\nThe program rookery-keeper is looked for beside rookery itself, "
					"in ../libexec/rookery, and in PATH; ROOKERY_KEEPER names another one."),
		COMMAND("lab stop", run_lab_stop, "stop a fabric and all that belongs to it",
				.operands = stop_words),
		COMMAND("lab list", run_lab_list, "list the fabrics of this user", .options = json_only),
		COMMAND("exec", run_exec, "run a program inside a node", .operands = exec_words,
				.text = "Its exit status is that of the program; 127 when there is no such program. "
					"It starts in the present directory if the node has it too, else in /."),
		COMMAND("shell", run_shell, "open a shell inside a node", .operands = node_word,
				.text = "Runs $SHELL, or /bin/sh, with the name of the node in its prompt."),
		COMMAND("apply", run_apply, "change a running fabric to what a file says",
				.operands = apply_words, .options = dry_run,
				.text = "Only what differs is touched, and either all of it is done or nothing. Without -f, the "
					"fabric is the one that the file names."),
		COMMAND("add guest", run_add_guest, "add a guest to a running fabric",
				.operands = guest_new, .options = guest_options,
				.text = "With --to, the router gets an interface too: the first unused name of its kind "
					"(iucv0, iucv1, ...). Addresses that are left out are chosen: 10.X.Y.1 for the router and "
					"10.X.Y.2 for the guest, with the lowest X.Y of which the fabric uses no address. With "
					"--address alone, the router takes the other address of its /30 pair.\n\n"
					"Routes beyond the router, such as the one to a new VIPA, are added with "
					"'rookery add route'."),
		COMMAND("add route", run_add_route, "add a route to a node",
				.operands = route_words, .keywords = route_keywords, .options = dry_run,
				.synopsis = ROUTE_SYNOPSIS),
		COMMAND("remove guest", run_remove_guest, "remove a guest from a running fabric",
				.operands = guest_old, .options = dry_run,
				.text = "The far ends of its links and the routes through them go with it."),
		COMMAND("remove route", run_remove_route, "remove a route from a node",
				.operands = route_words, .keywords = route_keywords, .options = dry_run,
				.synopsis = "[via ADDRESS] [dev IF] [discard] [metric N] [table N]"),
		COMMAND("set interface", run_set_interface, "set an interface up or down, or its MTU",
				.operands = set_iface_words, .keywords = set_iface_keywords, .options = dry_run,
				.synopsis = "(up | down | mtu N)..."),
		COMMAND("set tunable", run_set_tunable, "set a timeout or limit",
				.operands = set_tunable_words, .options = dry_run),
		SHOW("interfaces", 0, "interfaces of routers, with counters"),
		SHOW("routes", 1, "route tables"),
		SHOW("neighbours", 2, "neighbours learned by ARP"),
		SHOW("links", 3, "IUCV and CTC links"),
		SHOW("guests", 4, "guests, with counters"),
		COMMAND("show drops", run_show, "packets dropped, by reason", .operands = show_words,
				.options = drops_options, .data = &listings[5]),
		SHOW("lans", 6, "LANs and their members"),
		SHOW("macs", 7, "MAC addresses learned on LANs"),
		SHOW("tunables", 8, "timeouts and limits"),
		SHOW("memory", 9, "what memory goes to"),
		SHOW("nat", 10, "translated connections of outside addresses and of guests"),
		SHOW("balance", 11, "balanced services and their workers"),
		COMMAND("show osa", run_show, "adapters: mode, routers, table, packets thrown away", .operands = osa_word,
				.options = show_options, .data = &listings[12],
				.text = "A router in brackets is not active: it gets nothing now."),
		COMMAND("show oat", run_show, "address tables of adapters", .operands = osa_word, .options = oat_options,
				.data = &listings[13]),
		COMMAND("show config", run_show_config, "the configuration in use", .options = json_only,
				.text = "Prints what 'rookery check' and 'rookery apply' take."),
		COMMAND("show status", run_show_status, "processes, workers and programs of the fabric",
				.options = show_options),
		COMMAND("oat add", run_oat_add, "register an address with an adapter", .operands = entry_words, .options = entry_options,
				.text = "Packets for it go to the node, without it being the primary router: for instance the far end of a link that "
					"a script has brought up. In mode ose the entry goes into the static table."),
		COMMAND("oat del", run_oat_del, "take back what 'oat add' has registered", .operands = entry_words,
				.options = entry_options),
		COMMAND("oat import", run_oat_import, "replace the static table of an adapter by that of a file",
				.operands = import_words, .options = dry_run,
				.text = "What stands behind #, and lines that begin with * or ;, are for people."),
		COMMAND("osa", run_osa, "change a router role, isolation or state on an adapter", .operands = osa_words,
				.options = osa_options,
				.text = "A port has one primary router, which gets all packets without an entry, and a secondary one for the time that "
					"the primary is not active. A second primary is refused, by the name of the first. online and offline set the "
					"node's interface up and down; unplug and plug the network side of the adapter."),
		COMMAND("qethconf", run_qethconf, "takeover, VIPA and proxy ARP entries, as qethconf(8)", .operands = qethconf_words,
				.options = dry_run,
				.text = "For example: rookery qethconf vipa add 198.51.100.1 zos:eth0\n\nipa inv4 and inv6 turn the list of a protocol "
					"into those that are not taken over; list and list_all print what would make the present state."),
		TOOL("iptables", "the packet filter of a router, as iptables(8)",
				"For example: rookery iptables -r ROUTER -A FORWARD -p tcp --dport 22 -j ACCEPT\n\n"
				"Grammar, messages and exit codes are those of iptables 1.8.9; matches and targets are parsed by "
				"the system's libxtables. What Rookery does not evaluate is refused, by name. In "
				"'rookery shell ROUTER' it is called iptables, and is what scripts find there under any path."),
		TOOL("iptables-save", "print the rules of a router, as iptables-save(8)", NULL),
		TOOL("iptables-restore", "replace rules of a router, all or nothing, as iptables-restore(8)", NULL),
		TOOL("ipset", "the sets that a router's rules use, as ipset(8)", NULL),
		TOOL("conntrack", "the connections that a router tracks, as conntrack(8)",
				"-L lists, -D deletes, -F flushes, -C counts, -S prints statistics, -E follows events; filters as "
				"-p, -s, -d, --sport, --dport, --state, --mark. -L expect lists, -C expect counts, -E expect "
				"follows the connections that helpers expect."),
		COMMAND("ping", run_ping, "ping from a router or a guest",
				.operands = ping_words, .options = ping_options,
				.text = "From a router the engine itself sends and receives; in a guest ping(8) is run. Exit "
					"status 1 when no reply came."),
		COMMAND("traceroute", run_traceroute, "name the hops from a router or a guest to an address",
				.operands = ping_words, .options = traceroute_options),
		COMMAND("capture", run_capture, "capture packets of an interface or a link",
				.operands = capture_words, .options = capture_options,
				.text = "Without -w each packet is a line, made by tcpdump if there is one. A filter with words "
					"that begin with a dash goes after --."),
		COMMAND("help", run_help, "tell about a command", .operands = help_words),
		COMMAND("completion", run_completion, "print a completion script for a shell",
				.operands = shell_words,
				.text = "For the present shell: source <(rookery completion bash)"),
		COMMAND("version", run_version, "print the version"),
		COMMAND("man", run_man, "print a manual page as roff", .operands = man_words, .hidden = true),
		COMMAND("complete", run_complete, "complete a command line", .operands = complete_words,
				.hidden = true),
		END,
};
