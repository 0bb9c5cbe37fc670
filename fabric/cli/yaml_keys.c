/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fabric/cli/yaml_keys.h"

#include <stddef.h>

static const struct yaml_key top[] = {
		{"fabric", "name", NULL, "Name of the fabric, 1 to 15 characters. Must be given."},
		{"routers", "map", NULL, "Routers by user id; see ROUTER."},
		{"guests", "map", NULL, "Guests by user id; see GUEST. Routers and guests share their names, in which "
			"case does not count."},
		{"lans", "map", NULL, "Ethernet segments by name; see LAN."},
		{"osa", "map", NULL, "Adapters by name; see ADAPTER."},
		{"tunables", "map", NULL, "Timeouts and limits of the fabric by name; see TUNABLES."},
		{0},
};

static const struct yaml_key router[] = {
		{"forward", "boolean", "false", "Forwards packets that are not its own."},
		{"hidden", "boolean", "false", "Lets `hidden` of its interfaces count: both, or neither."},
		{"control", "boolean", "false", "Has a control namespace: its interfaces are mirrored there, and its "
			"local programs run in it."},
		{"interfaces", "map", NULL, "Interfaces by name; see INTERFACE."},
		{"routes", "list", NULL, "See ROUTE."},
		{"policy_rules", "list", NULL, "Which route table a packet is looked up in; see RULE."},
		{"rules", "file or text", NULL, "Its packet filter, as iptables-save prints it: the name of a file, from the directory of "
			"the configuration, or the text itself as a block (|)."},
		{"sets", "file or text", NULL, "The sets that its rules use, as ipset save prints them; likewise."},
		{"management", "prefix or list", NULL, "Addresses whose connections find room even if the connection table is full "
			"(nf_conntrack_reserve)."},
		{"helpers", "map", NULL, "What reads protocols that announce further connections, so that these are RELATED: ftp, tftp; "
			"see HELPER. A helper needs connection tracking, which a rule turns on."},
		{"hairpin", "boolean", "false", "Inside guests reach inside servers by outside addresses: rules of the nat table with -i of the outside "
			"interface are asked for them too, and where the answers would not come back this way their source becomes the router's."},
		{"nat_addresses", "arp, prefix or list", NULL, "Addresses that no interface has and that the router answers ARP for, on the LAN that "
			"they lie in. arp: those that its rules (SNAT, DNAT, REDIRECT, NETMAP) and balanced services translate."},
		{"balance", "list", NULL, "Services that are spread over workers; see BALANCE."},
		{"tunables", "map", NULL, "Timeouts and limits of this router, above those of the fabric."},
		{0},
};

static const struct yaml_key helper[] = {
		{"ports", "number or list", "21 for ftp, 69 for tftp", "Ports of servers, at most 8: connections to them get the helper. An empty "
			"list leaves that to rules (-t raw -j CT --helper)."},
		{"nat", "boolean", "true", "Whether it also rewrites the addresses that it reads in connections that are translated, and has "
			"what they announce translated alike. With false it tracks only."},
		{0},
};

static const struct yaml_key guest[] = {
		{"netns", "boolean", "true", "A Linux network namespace of this host."},
		{"simulated", "boolean", "false", "Simulated within the engine instead: answers ARP, ping and UDP echo."},
		{"forward", "boolean", "false", "Is a router itself (net.ipv4.ip_forward)."},
		{"hidden", "boolean", "false", "Lets `hidden` of its interfaces count: both, or neither."},
		{"interfaces", "map", NULL, "Interfaces by name; see INTERFACE."},
		{"routes", "list", "a default route, when it has one link", "See ROUTE."},
		{"run", "text or list", NULL, "Programs that run in it, each a line for sh(1). Namespace guests only."},
		{0},
};

static const struct yaml_key iface[] = {
		{"iucv", "NODE or NODE/INTERFACE", NULL, "An IUCV link to that node. The interface is only needed when "
			"there are several links between the two."},
		{"ctc", "NODE or NODE/INTERFACE", NULL, "The same, as a coupled pair of CTCs."},
		{"osa", "name", NULL, "The host side of that adapter, which any number of routers and guests share."},
		{"lan", "name", NULL, "A place on that LAN."},
		{"vipa", "address or list", NULL, "A dummy interface, always up, that holds these addresses."},
		{"address", "address or list", NULL, "Its addresses. On a LAN with a prefix length; on a link without "
			"one the length is 32."},
		{"peer", "address", "what the far end has as its address", "Address of the other end. Links only."},
		{"mtu", "bytes", "that of the kind or of the LAN", "The largest packet, 68 to 65535. Both ends of a link "
			"should agree."},
		{"mac", "MAC address", "made from the names", "With osa and lan only."},
		{"up", "boolean", "true", "Whether it is set up."},
		{"rp_filter", "off, strict or loose", "off", "Whether a packet's source has to be reachable through the "
			"interface that it came in by (strict), or at all (loose)."},
		{"log_martians", "boolean", "false", "Logs packets with impossible addresses."},
		{"proxy_arp", "boolean", "false", "Answers ARP for addresses that are routed elsewhere."},
		{"hidden", "boolean", "false", "With `hidden` of the node: answers ARP only for its own addresses, and asks with no "
			"others (arp_ignore 1, arp_announce 2)."},
		{"sourcevipa", "interface", NULL, "Dummy interface whose address packets take as source that leave by "
			"this one."},
		{"router", "role", "none", "With osa: what it is to its port. primary gets every packet whose destination nobody has "
			"registered, secondary while no primary is active, multicast the multicasts; with profile hipersockets "
			"primary_connector and secondary_connector. One word, or a map of ipv4 and ipv6. qeth's and z/OS's words are "
			"understood too."},
		{"oat", "map", NULL, "With osa: what it registers with its adapter; see REGISTRATION."},
		{"isolation", "none, forward or drop", "none", "With osa: whether packets to others on the port go straight to them, out "
			"to the network, or nowhere."},
		{"echo_filter", "boolean", "false", "With osa: its own broadcasts do not come back to it."},
		{"promiscuous", "boolean", "false", "With osa, where it sees frames: gets a copy of all that the port sees."},
		{"devices", "hexadecimal", NULL, "With osa: the first, even number of its group of devices: three in mode qdio, two in "
			"mode ose."},
		{0},
};

static const struct yaml_key route[] = {
		{"to", "prefix or default", NULL, "The destination. Must be given."},
		{"via", "address", NULL, "The next hop, on link by one of the interfaces."},
		{"dev", "interface", "that of the next hop", "The interface."},
		{"nexthops", "list", NULL, "Several next hops instead of one: maps of via, dev and weight (1 to 256, "
			"default 1)."},
		{"metric", "number", "0", "Smaller is better."},
		{"table", "number", "254 (main)", "The route table; any but 255."},
		{"mtu", "bytes", "that of the interface", "The largest packet this way."},
		{"src", "address", NULL, "The source that the node's own packets take."},
		{"discard", "boolean", "false", "Instead of a next hop: drops packets silently."},
		{"unreachable", "boolean", "false", "Instead of a next hop: refuses them, host unreachable."},
		{"prohibit", "boolean", "false", "Instead of a next hop: refuses them, administratively prohibited."},
		{0},
};

static const struct yaml_key rule[] = {
		{"priority", "number", NULL, "Lower comes first; 0 is the local table, 32766 main. Must be given."},
		{"table", "number", NULL, "The table to look up. Must be given."},
		{"from", "prefix", "any", "Source of the packet."},
		{"to", "prefix", "any", "Destination of the packet."},
		{"iif", "interface", "any", "Interface it came in by."},
		{"mark", "MARK or MARK/MASK", "any", "Its firewall mark."},
		{"tos", "number", "any", "Its type of service."},
		{0},
};

static const struct yaml_key balance[] = {
		{"address", "address", NULL, "What clients connect to. Must be given."},
		{"port", "number", NULL, "Likewise."},
		{"protocol", "tcp or udp", "tcp", "Likewise."},
		{"method", "hash or least", "hash", "Which worker a new connection gets: by the client's address, so that it keeps its worker, or the one "
			"with the fewest connections."},
		{"workers", "list", NULL, "ADDRESS or ADDRESS:PORT each, 1 to 256. Must be given."},
		{"check", "map", "none: all are taken to be up", "ping: true, or tcp: PORT (true: that of the worker); interval (seconds, default 2); fail (answers "
			"missed in a row until no new connections go there and those that it has end, default 3); rise (answers in a row until it is back, "
			"default 2)."},
		{0},
};

static const struct yaml_key lan[] = {
		{"type", "ethernet", "ethernet", "Kind of the segment."},
		{"mtu", "bytes", "1500", "The largest packet, 68 to 9000."},
		{0},
};

static const struct yaml_key osa[] = {
		{"network", "name", NULL, "Its network side is on this LAN of the fabric."},
		{"device", "interface", NULL, "Or: on this network device of the host."},
		{"devargs", "text", NULL, "Or: on a device that DPDK drives, by its devargs."},
		{"mode", "qdio, ose or dedicated", "qdio", "qdio: those who share it register their addresses. ose (lcs): the table is "
			"static, and each does its own ARP with the MAC address of the port. dedicated: one has it for itself."},
		{"layer", "2 or 3", "3", "Mode qdio: 3, the port does ARP and its stacks see bare IP packets; 2, they see Ethernet, each with "
			"a MAC address of its own."},
		{"table", "list or file", NULL, "Mode ose: maps of address and owner (NODE, or NODE/INTERFACE); or a file beside the configuration "
			"with lines of ADDRESS NODE [INTERFACE]."},
		{"mac", "MAC address", "made from the name", "Of the port, and of all who share it but in layer 2."},
		{"multicast_router", "boolean", "false", "Takes a multicast router."},
		{"secondaries", "number", "1", "How many secondary routers it takes, up to 8."},
		{"carrier", "network or always", "network", "Whether those who share it see its network go down."},
		{"state", "up or down", "up", "down: its network side is unplugged; those who share it still reach each other."},
		{"profile", "word", "unlimited", "How much it holds: osa2 (16 addresses, 8 a stack), g5 (512), zseries (2048), hipersockets (4000), "
			"or unlimited."},
		{"card", "word", NULL, "Instead of a profile: which card it is (osa2-ethernet, osa2-tokenring, osa2-fastethernet, osa2-fddi, "
			"osa2-atm, express-gigabit, express-fastethernet, express-atm, express-atm-lane). What such a card did not do is refused, "
			"and so are MTUs that it did not have."},
		{"machine", "g5, g6 or zseries", "zseries", "With card: the machine it is in."},
		{"type", "network type", NULL, "FastEthernet, FE, GigabitEthernet or GB with mode qdio; Ethernet, 802.3, TokenRing, TR or FDDI with "
			"ose."},
		{"slot", "name", NULL, "Which card it is a port of, and"},
		{"port", "0 or 1", "0", "which port of it."},
		{0},
};

static const struct yaml_key oat[] = {
		{"register", "own, stack or none", "own", "own: the addresses of the interface, as Linux does; stack: all of the node, its VIPAs "
			"and the near ends of its links too, as VM TCP/IP and z/OS do; none: only what stands here."},
		{"links", "boolean", "false", "Also the far end of each of the node's links, while it is up."},
		{"add", "address or list", NULL, "These too."},
		{"vipa", "address or list", NULL, "These too, without announcing them by ARP."},
		{"rxip", "address or list", NULL, "These too, for somebody behind the node (proxy ARP); taken over from whoever has them."},
		{"ipato", "map", NULL, "Which of its addresses are taken over from who has them: `add`, a list of prefixes; `invert4` and `invert6`: "
			"those that are not listed; `enable`: whether at all (true)."},
		{0},
};

const struct yaml_map yaml_maps[] = {
		{"TOP LEVEL", "The file is one map.", top},
		{"ROUTER", "A virtual IP stack inside the engine. Its user id has 1 to 8 characters.", router},
		{"HELPER", "Each has the name of its protocol: ftp (active and passive, with EPRT and EPSV) or tftp.", helper},
		{"GUEST", "A machine outside the packet engine. Its user id has 1 to 8 characters.", guest},
		{"INTERFACE", "Exactly one of iucv, ctc, osa, lan and vipa says of which kind it is. A link has two ends, "
			"and each is an interface of its node.", iface},
		{"ROUTE", "Each is a map. Routes to the far end of a link and to the networks of addresses are there by "
			"themselves.", route},
		{"RULE", "Which table packets are looked up in, as in ip-rule(8).", rule},
		{"BALANCE", "New connections to one address and port go to one of several workers, where no rule of the nat table says otherwise. "
			"Workers answer by way of the router, or with hairpin.", balance},
		{"LAN", "A multipoint segment.", lan},
		{"ADAPTER", "An OSA adapter: one port, with a network side (exactly one of network, device and devargs) and an address table. A "
			"packet that arrives goes to who registered its destination, else to the active primary router, else to the active "
			"secondary one, else it is thrown away; 'rookery check' warns of addresses that would be.", osa},
		{"REGISTRATION", "What an interface registers with its adapter (mode qdio, layer 3 and 2).", oat},
		{0},
};

const char yaml_example[] =
		"fabric: two-layer\n"
		"osa:\n"
		"  osa0: {network: office}\n"
		"lans:\n"
		"  office: {}\n"
		"routers:\n"
		"  vmlinux4:\n"
		"    forward: true\n"
		"    interfaces:\n"
		"      eth0: {osa: osa0, address: 9.12.6.80/24, router: primary}\n"
		"      iucv0: {iucv: vmlinux9, address: 192.168.1.1}\n"
		"    routes:\n"
		"      - {to: default, via: 9.12.6.75}\n"
		"      - {to: 192.168.2.0/24, via: 192.168.1.2}\n"
		"  vmlinux9:\n"
		"    forward: true\n"
		"    interfaces:\n"
		"      iucv0: {iucv: vmlinux4, address: 192.168.1.2}\n"
		"      iucv1: {iucv: tux0mstr, address: 10.0.0.1}\n"
		"    routes:\n"
		"      - {to: default, via: 192.168.1.1}\n"
		"      - {to: 192.168.2.1, via: 10.0.0.2}\n"
		"guests:\n"
		"  tux0mstr:\n"
		"    interfaces:\n"
		"      iucv0: {iucv: vmlinux9, address: 10.0.0.2}\n"
		"      dummy0: {vipa: 192.168.2.1}\n"
		"    run: python3 -m http.server 80\n";
