/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every way a packet can end in the fabric, by name. A row is: id, name (for scripts), text (for people).
 * Each has a counter in every router and in the engine, and a test that makes it count.
 */
#ifndef FABRIC_BASE_DROP_H
#define FABRIC_BASE_DROP_H

#include <stdint.h>

#define DROPS(X) \
	X(NONE, "none", "not dropped") \
	/* parsing */ \
	X(TRUNCATED, "truncated", "shorter than its headers say") \
	X(IP_VERSION, "ip-version", "neither IPv4 nor IPv6, or not what the link layer announced") \
	X(IP_HEADER, "ip-header", "IPv4 header length or total length impossible") \
	X(IP_CHECKSUM, "ip-checksum", "wrong IPv4 header checksum") \
	X(IP_OPTION, "ip-option", "malformed IPv4 option, or source route") \
	X(ETHER_TYPE, "ether-type", "frame of a protocol that is not carried") \
	X(NOT_FOR_US, "not-for-us", "frame for another MAC address") \
	X(IPV6, "ipv6", "IPv6 is not forwarded yet") \
	X(OFFLOAD, "offload", "impossible offload request from the guest") \
	/* routing */ \
	X(MARTIAN_SOURCE, "martian-source", "source address that cannot be") \
	X(MARTIAN_DESTINATION, "martian-destination", "destination address that cannot be") \
	X(RP_FILTER, "rp-filter", "reverse path filter: the source is not reached that way") \
	X(FORWARDING_OFF, "forwarding-off", "not for this node, and it does not forward") \
	X(NO_ROUTE, "no-route", "no route to the destination") \
	X(ROUTE_DISCARD, "route-discard", "discard route") \
	X(ROUTE_UNREACHABLE, "route-unreachable", "unreachable route") \
	X(ROUTE_PROHIBIT, "route-prohibit", "prohibit route") \
	X(LINK_DOWN, "link-down", "link is down, and no other route") \
	X(TTL, "ttl-exceeded", "time to live ended here") \
	X(MTU, "mtu", "too big for the next link and must not be fragmented") \
	X(BROADCAST, "broadcast", "broadcast, not forwarded and nobody here listens") \
	X(MULTICAST, "multicast", "multicast, not forwarded and nobody here listens") \
	X(LINK_BROADCAST, "link-broadcast", "broadcast or multicast into a point-to-point link") \
	X(LOOP, "loop", "went round inside the fabric too often") \
	/* local delivery */ \
	X(NO_LISTENER, "no-listener", "for this router, and nothing here takes it") \
	X(ICMP_MALFORMED, "icmp-malformed", "ICMP too short or with a wrong checksum") \
	X(ICMP_IGNORED, "icmp-ignored", "ICMP that asks for nothing") \
	X(ICMP_RATE, "icmp-rate", "ICMP error not sent: rate limit") \
	/* fragments */ \
	X(REASM_OVERLAP, "reassembly-overlap", "overlapping fragments: the datagram is dropped") \
	X(REASM_DUPLICATE, "reassembly-duplicate", "fragment that was there already") \
	X(REASM_TIMEOUT, "reassembly-timeout", "the rest of the datagram did not come") \
	X(REASM_MEMORY, "reassembly-memory", "too many incomplete datagrams") \
	X(REASM_SIZE, "reassembly-size", "fragments of more than 65535 bytes") \
	X(FRAGMENT, "fragment", "malformed fragment") \
	/* filters */ \
	X(RULE, "rule", "dropped by a rule") \
	X(POLICY, "policy", "dropped by a chain's policy") \
	X(REJECT, "reject", "rejected by a rule") \
	X(RULE_MALFORMED, "rule-malformed", "a match found it malformed") \
	X(CT_FULL, "conntrack-full", "connection table full") \
	X(CT_GUEST, "conntrack-guest", "connection ceiling of one interface reached") \
	X(CT_CLASH, "conntrack-clash", "another connection with the same addresses and ports was first") \
	X(CT_INVALID, "conntrack-invalid", "refused by connection tracking") \
	X(NAT_PORTS, "nat-ports", "no free port or id left for address translation") \
	X(NAT_QUOTA, "nat-quota", "the guest has as many translated connections as nat_quota allows") \
	X(NAT_WORKERS, "nat-workers", "no worker of a balanced service answers") \
	X(NAT_ADDRESS, "nat-address", "the interface has no address to translate to") \
	X(NAT_MOVED, "nat-moved", "masqueraded, and now it would leave by another interface: its connection is forgotten") \
	X(HELPER_PARTIAL, "helper-partial", "what an application says of a further connection is not whole, or wrong") \
	X(HELPER_EXPECT, "helper-expectation", "the connection that it announces cannot be expected: no room, or another one is") \
	X(HELPER_LENGTH, "helper-length", "too long once the address in it is translated") \
	X(TCP_OPTIONS, "tcp-options", "TCP options that cannot be read where sequence numbers have to be moved") \
	X(QUEUE_NOBODY, "queue-nobody", "queued to a program, and none listens") \
	X(QUEUE_FULL, "queue-full", "too many packets wait for the program's verdict") \
	X(QUEUE_TIMEOUT, "queue-timeout", "the program gave no verdict in time") \
	X(QUEUE_VERDICT, "queue-verdict", "dropped by the program's verdict") \
	X(RULES_CHANGED, "rules-changed", "rules changed while it waited for a verdict") \
	/* neighbours */ \
	X(NEIGH_FAILED, "neighbour-failed", "no answer to ARP") \
	X(NEIGH_QUEUE, "neighbour-queue", "too many packets waiting for ARP; the oldest went") \
	X(NEIGH_TABLE, "neighbour-table", "neighbour table full") \
	X(ARP_MALFORMED, "arp-malformed", "impossible ARP packet") \
	X(ARP_IGNORED, "arp-ignored", "ARP that is not for us") \
	/* ports, LANs, engine */ \
	X(IFACE_DOWN, "interface-down", "interface is down") \
	X(DUMMY, "dummy", "routed to a dummy interface, which never sends") \
	X(IFACE_GONE, "interface-gone", "interface or router was removed meanwhile") \
	X(PORT_TX, "port-full", "the port's device took no more") \
	X(PORT_ERROR, "port-error", "the port's device failed") \
	X(LAN_NO_MEMBER, "lan-no-member", "nobody else on the LAN") \
	X(LAN_FILTER, "lan-filter", "frame that a bridge does not pass on") \
	/* adapters */ \
	X(OSA_NO_ENTRY, "osa-no-entry", "at an adapter: nobody registered the address, and there is no active router") \
	X(OSA_OWNER_DOWN, "osa-owner-down", "at an adapter: who has the address in its static table is not active") \
	X(OSA_SOURCE, "osa-source", "at an adapter: the sender has no such address, and is no router") \
	X(OSA_ISOLATED, "osa-isolated", "at an adapter: isolated from the other sharers") \
	X(OSA_NO_NETWORK, "osa-no-network", "at an adapter: its network side is down") \
	X(NO_BUFFER, "no-buffer", "out of packet buffers") \
	X(SLOW_QUEUE, "slow-queue", "too many packets of the engine's own waiting")

#define DROP_ID(id, ...) DROP_##id,
enum drop_reason { DROPS(DROP_ID) DROP_COUNT };
#undef DROP_ID

struct drops {
	uint64_t n[DROP_COUNT];
};

/* "ttl-exceeded"; "time to live ended here". */
const char *drop_name(enum drop_reason r);
const char *drop_text(enum drop_reason r);

#endif
