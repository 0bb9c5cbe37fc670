/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tunables: every timeout and limit, in one table, by name, with unit, default and bounds. A router has
 * a set of values of its own (struct tunables), copied from the fabric's and changed by its configuration.
 */
#ifndef FABRIC_BASE_TUNABLE_H
#define FABRIC_BASE_TUNABLE_H

#include <stdint.h>

/*       id                          name                        unit      default       min           max   text */
#define TUNABLES(X) \
	X(IP_DEFAULT_TTL, "ip_default_ttl", "hops", 64, 1, 255, "TTL of packets that a router makes") \
	X(ICMP_RATELIMIT, "icmp_ratelimit", "ms", 1000, 0, 3600000, \
			"shortest time between two ICMP errors to one destination; 0: no limit") \
	X(ICMP_MSGS_PER_SEC, "icmp_msgs_per_sec", "packets/s", 1000, 0, 1000000, \
			"ICMP errors of one router a second; 0: none") \
	X(ICMP_MSGS_BURST, "icmp_msgs_burst", "packets", 50, 0, 1000000, \
			"ICMP errors of one router in one burst") \
	X(ICMP_ECHO_IGNORE_ALL, "icmp_echo_ignore_all", "0/1", 0, 0, 1, "answer no ping") \
	X(ICMP_ECHO_TTL, "icmp_echo_ttl", "hops", 255, 1, 255, \
			"TTL of echo replies: 255 as in the source document; Linux today: 64") \
	X(IPFRAG_TIME, "ipfrag_time", "ms", 30000, 100, 3600000, "how long a datagram may stay incomplete") \
	X(IPFRAG_HIGH_THRESH, "ipfrag_high_thresh", "bytes", 4 << 20, 65536, 1 << 30, \
			"memory for incomplete datagrams of one router") \
	X(IPFRAG_MAX_DIST, "ipfrag_max_dist", "packets", 64, 0, 65535, \
			"other datagrams of one source in between, before an incomplete one is dropped; 0: any") \
	X(CT_MAX, "nf_conntrack_max", "entries", 262144, 16, 1 << 24, "connections of one router") \
	X(CT_RESERVE, "nf_conntrack_reserve", "entries", 64, 0, 1 << 20, \
			"of these, kept for addresses marked as management (ours; Linux has none)") \
	X(CT_MAX_GUEST, "nf_conntrack_max_interface", "entries", 0, 0, 1 << 24, \
			"connections begun through one interface; 0: no ceiling (ours; Linux has none)") \
	X(CT_EXPECT_MAX, "nf_conntrack_expect_max", "entries", 1024, 1, 1 << 20, "expected connections of one router") \
	X(CT_CHECKSUM, "nf_conntrack_checksum", "0/1", 1, 0, 1, "a wrong layer 4 checksum makes a packet INVALID") \
	X(CT_ACCT, "nf_conntrack_acct", "0/1", 0, 0, 1, "count packets and bytes of connections") \
	X(CT_TRACKING, "nf_conntrack_always", "0/1", 0, 0, 1, "track connections even if no rule needs it (ours)") \
	X(CT_LOG_INVALID, "nf_conntrack_log_invalid", "0/1", 0, 0, 1, "log why a packet is INVALID") \
	X(CT_TCP_LOOSE, "nf_conntrack_tcp_loose", "0/1", 1, 0, 1, "pick up TCP connections in their middle") \
	X(CT_TCP_BE_LIBERAL, "nf_conntrack_tcp_be_liberal", "0/1", 0, 0, 1, "outside the window only resets are INVALID") \
	X(CT_TCP_IGNORE_INVALID_RST, "nf_conntrack_tcp_ignore_invalid_rst", "0/1", 0, 0, 1, "a reset outside the window is not INVALID") \
	X(CT_TCP_MAX_RETRANS, "nf_conntrack_tcp_max_retrans", "packets", 3, 0, 255, "retransmissions before the short timeout") \
	X(CT_GENERIC, "nf_conntrack_generic_timeout", "s", 600, 1, 1 << 30, "other protocols: forgotten after") \
	X(CT_ICMP, "nf_conntrack_icmp_timeout", "s", 30, 1, 1 << 30, "ICMP: forgotten after") \
	X(CT_UDP, "nf_conntrack_udp_timeout", "s", 30, 1, 1 << 30, "UDP: forgotten after") \
	X(CT_UDP_STREAM, "nf_conntrack_udp_timeout_stream", "s", 120, 1, 1 << 30, "UDP in both directions for 2 s: forgotten after") \
	X(CT_TCP_SYN_SENT, "nf_conntrack_tcp_timeout_syn_sent", "s", 120, 1, 1 << 30, "TCP, SYN seen") \
	X(CT_TCP_SYN_RECV, "nf_conntrack_tcp_timeout_syn_recv", "s", 60, 1, 1 << 30, "TCP, SYN and SYN+ACK seen") \
	X(CT_TCP_ESTABLISHED, "nf_conntrack_tcp_timeout_established", "s", 432000, 1, 1 << 30, "TCP, established") \
	X(CT_TCP_FIN_WAIT, "nf_conntrack_tcp_timeout_fin_wait", "s", 120, 1, 1 << 30, "TCP, FIN seen") \
	X(CT_TCP_CLOSE_WAIT, "nf_conntrack_tcp_timeout_close_wait", "s", 60, 1, 1 << 30, "TCP, FIN acknowledged") \
	X(CT_TCP_LAST_ACK, "nf_conntrack_tcp_timeout_last_ack", "s", 30, 1, 1 << 30, "TCP, both FINs seen") \
	X(CT_TCP_TIME_WAIT, "nf_conntrack_tcp_timeout_time_wait", "s", 120, 1, 1 << 30, "TCP, both FINs acknowledged") \
	X(CT_TCP_CLOSE, "nf_conntrack_tcp_timeout_close", "s", 10, 1, 1 << 30, "TCP, RST seen") \
	X(CT_TCP_RETRANS, "nf_conntrack_tcp_timeout_max_retrans", "s", 300, 1, 1 << 30, "TCP, retransmitted without an answer") \
	X(CT_TCP_UNACK, "nf_conntrack_tcp_timeout_unacknowledged", "s", 300, 1, 1 << 30, "TCP, data without an answer") \
	X(NAT_QUOTA, "nat_quota", "connections", 0, 0, 1 << 24, \
			"translated connections of one inside address; 0: no limit (ours; Linux has none)") \
	X(QUEUE_MAX, "nfqueue_max", "packets", 1024, 1, 65536, "packets of one queue that wait for a program's verdict") \
	X(QUEUE_TIME, "nfqueue_time", "ms", 2000, 10, 600000, "how long a packet waits for a verdict; then it is dropped") \
	X(ARP_RETRANS_TIME, "arp_retrans_time", "ms", 1000, 10, 60000, "time between two ARP requests") \
	X(ARP_MCAST_SOLICIT, "arp_mcast_solicit", "requests", 3, 1, 20, "broadcast ARP requests before giving up") \
	X(ARP_UCAST_SOLICIT, "arp_ucast_solicit", "requests", 3, 0, 20, "unicast ARP probes of a stale neighbour") \
	X(ARP_DELAY_PROBE_TIME, "arp_delay_probe_time", "ms", 5000, 10, 60000, "stale and in use: time before the first probe") \
	X(ARP_REACHABLE_TIME, "arp_reachable_time", "ms", 30000, 100, 86400000, "how long a confirmation holds") \
	X(ARP_GC_STALE_TIME, "arp_gc_stale_time", "ms", 60000, 1000, 86400000, "unused neighbours are forgotten after") \
	X(ARP_QUEUE, "arp_queue", "packets", 101, 1, 4096, "packets waiting for one neighbour; the oldest leaves first") \
	X(ARP_TABLE, "arp_table", "entries", 1024, 1, 1000000, "neighbours of one interface") \
	X(OSA_PROBE_TIME, "osa_probe_time", "ms", 100, 0, 10000, \
			"how long an adapter asks its LAN whether somebody has an address already, before it announces it; 0: not at all") \
	X(MAC_TABLE, "mac_table", "entries", 4096, 16, 1000000, "learned MAC addresses of one LAN") \
	X(MAC_AGEING_TIME, "mac_ageing_time", "ms", 300000, 1000, 86400000, "a silent MAC address is forgotten after") \
	X(IDLE_POLL_TIME, "idle_poll_time", "us", 50, 0, 1000000, "how long a worker polls after its last packet") \
	X(PATH_CACHE, "path_cache", "0/1", 1, 0, 1, "established flows go by one lookup; 0: every packet through every rule") \
	X(SLOW_QUEUE, "slow_queue", "packets", 4096, 64, 65536, \
			"packets that a worker itself makes and has not handled yet")

#define TUNABLE_ID(id, ...) TUNE_##id,
enum tunable_id { TUNABLES(TUNABLE_ID) TUNABLE_COUNT };
#undef TUNABLE_ID

struct tunable {
	const char *name, *unit;
	int64_t fallback, min, max;
	const char *text;
};

struct tunables {
	int64_t value[TUNABLE_COUNT];
};

/* Row of a tunable, by number or by name; NULL: no such name. */
const struct tunable *tunable_row(enum tunable_id id);
const struct tunable *tunable_find(const char *name, enum tunable_id *id);
void tunables_init(struct tunables *t);

static inline int64_t
tune(const struct tunables *t, enum tunable_id id)
{
	return t->value[id];
}

/* A tunable whose unit is s, in nanoseconds. */
static inline uint64_t
tune_seconds(const struct tunables *t, enum tunable_id id)
{
	return (uint64_t)t->value[id] * 1000000000u;
}

/* A tunable whose unit is ms, in nanoseconds. */
static inline uint64_t
tune_ns(const struct tunables *t, enum tunable_id id)
{
	return (uint64_t)t->value[id] * 1000000u;
}

#endif
