/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Matches and targets that we evaluate, with their revisions: the front end offers these to libxtables, extensions.c has an ops struct for each (a test compares).
 * "physdev" is not here on purpose: a router's interfaces are never bridge ports. AUDIT likewise: there is no audit log.
 */
#ifndef FILTERS_KNOWN_H
#define FILTERS_KNOWN_H

#define KNOWN_MATCHES(X) \
	X("tcp", 0) X("udp", 0) X("icmp", 0) X("multiport", 1) X("tcpmss", 0) \
	X("iprange", 1) X("length", 0) X("ttl", 0) X("tos", 0) X("tos", 1) X("dscp", 0) X("addrtype", 0) X("addrtype", 1) X("pkttype", 0) \
	X("mac", 0) X("mark", 1) X("owner", 1) X("comment", 0) X("u32", 0) X("string", 1) X("time", 0) X("statistic", 0) \
	X("limit", 0) X("hashlimit", 1) X("hashlimit", 2) X("hashlimit", 3) X("recent", 0) X("recent", 1) \
	X("state", 0) X("conntrack", 1) X("conntrack", 2) X("conntrack", 3) X("connmark", 1) X("connbytes", 0) X("connlimit", 1) X("helper", 0) \
	X("set", 0) X("set", 1) X("set", 2) X("set", 3) X("set", 4)

#define KNOWN_TARGETS(X) \
	X("REJECT", 0) X("LOG", 0) X("NFLOG", 0) X("TRACE", 0) \
	X("MARK", 2) X("CONNMARK", 1) X("CONNMARK", 2) X("TCPMSS", 0) X("TTL", 0) X("TOS", 0) X("TOS", 1) X("DSCP", 0) \
	X("CT", 0) X("CT", 1) X("CT", 2) X("NOTRACK", 0) \
	X("NFQUEUE", 0) X("NFQUEUE", 1) X("NFQUEUE", 2) X("NFQUEUE", 3) X("SET", 1) X("SET", 2) X("SET", 3) \
	X("SNAT", 0) X("SNAT", 1) X("SNAT", 2) X("DNAT", 0) X("DNAT", 1) X("DNAT", 2) X("MASQUERADE", 0) X("REDIRECT", 0) X("NETMAP", 0)

/* Application helpers (helper.h): id, protocol, usual port, expectations of one connection, seconds that one waits, what for. */
#define KNOWN_HELPERS(X) \
	X(ftp, IPPROTO_TCP, 21, 1, 300, "data connections of FTP, active and passive") \
	X(tftp, IPPROTO_UDP, 69, 1, 300, "answers of TFTP, from another port than was asked")

#endif
