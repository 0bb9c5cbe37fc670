/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What our processes say to each other. Every message is one JSON object (wire.h).
 *
 * A fabric that runs has a run directory, RUN/NAME, where RUN is /run/rookery for root and
 * $XDG_RUNTIME_DIR/rookery or /tmp/rookery-UID for others (run_directory()), mode 0700. In it:
 *   keeper.sock  the keeper, for life-cycle commands        keeper.pid  its process id
 *   engine.sock  the engine, for looking and for packets    log         log of both
 *   nflog.pcapng packets that rules log with -j NFLOG, at most 64 MB; empty until the first
 * The keeper makes both sockets before it enters namespaces of its own, and removes the directory at the end.
 *
 * A request has "op"; its answer has "ok". If "ok" is false there is "error", one clear sentence. Names of nodes
 * are given back as the configuration writes them. Times are in seconds unless a name says otherwise,
 * addresses are text, counters are integers.
 *
 * TO THE KEEPER (keeper.sock)
 *   {"op":"status"}          => {"ok","fabric","serial","pid","engine_pid","uptime","unprivileged":bool,"ready":bool,
 *                               "guests":[{"name","kind":"namespace"|"simulated"|"control","pid","programs":[{"command","pid","state"}]}]}
 *   {"op":"config"}          => {"ok","serial","config":"<yaml>"}
 *   {"op":"apply","config":"<yaml>","origin":"FILE","base":N?,"dry_run":bool?}
 *                            => {"ok","serial","actions":["add guest tux1", ...]} ; refused whole with "error" (several
 *                               lines when the configuration is wrong) ; "base": refuse unless it is the present serial
 *                            With one descriptor, a bundle (bundle.h): the rules and sets of all its routers. Without, they stay.
 *   {"op":"bundle"}          => {"ok","serial"} with a descriptor: the bundle that belongs to the configuration in use
 *   {"op":"rules","node":ROUTER,"base":N} with a descriptor: its rules, flat (filters/rules.h), made from those with serial N
 *                            => {"ok"}; refused: "again":true when others were faster
 *   {"op":"edit","node":ROUTER,"base":N?} with a descriptor: one edit of its rules, flat (filters/rules_edit.h), of those with serial N or of any
 *                            => {"ok","jump":N,"changed":bool}: what follows -j is a chain; refused: "jump", and "errno":N when
 *                               the rules are such that it cannot be, "again":true when the serial is another
 *   {"op":"sets","node":ROUTER,"text":T} => {"ok"}: commands in the format of ipset restore, all or nothing
 *   {"op":"enter","node":"tux0mstr"} => {"ok","pid","namespaces":["user"?,"mnt","pid","net","uts"]} with one descriptor each, in
 *                               that order, for setns(); a namespace guest or a router with a control namespace
 *   {"op":"stop"}            => {"ok"} once everything is gone; then the connection closes
 *   {"op":"wait"}            => {"ok","ready":true} when the fabric is up, or the error that ended its start
 *
 * TO THE ENGINE (engine.sock)
 *   {"op":"show","what":W,"node":NAME?} => {"ok","records":[...]}, a record per line of the listing. W and its fields:
 *     interfaces  node, name, ifindex, kind (loopback dummy iucv ctc osa), up, carrier, mtu, mac?, addresses [text], peer?, target?,
 *                 rx_packets, rx_bytes, rx_drops, tx_packets, tx_bytes, tx_drops
 *     routes      node, table, to, type (unicast local broadcast discard unreachable prohibit), via?, dev?, metric, src?,
 *                 weight?, linkdown (bool)   -- a multipath route is one record a next hop
 *     neighbours  node, dev, address, mac?, state, queued, age
 *     links       name ("A:if=B:if"), kind, a, a_if, b, b_if, up, reason?, since, a_to_b_packets, b_to_a_packets
 *     guests      name, kind, interfaces (how many), rx_packets, rx_bytes, tx_packets, tx_bytes, wakeups, queue_drops
 *     drops       node ("-" for the engine itself), reason, text, packets       -- only those above 0; "all":true for every one
 *     lans        name, mtu, members (how many)
 *     macs        lan, mac, member, age        tunables  name, value, unit, default, min, max, text, node ("-" for the fabric)
 *     memory      what, bytes, count
 *     osa         osa, mode, layer, mac, network, up, shared, sharers, primary?, secondary? [text], elected? and primary6? ... where IPv6 differs ("(NAME)":
 *                 not active), profile?, entries, limit?, no_entry, owner_down, refused, no_network (packets thrown away), last?
 *     oat         osa, address, owner ("NODE/IF"), kind (address vipa rxip static -), state (registered asking owner-down waiting refused),
 *                 takeover?, count?, age?, and when refused: answer, code
 *     oat-drops   osa, reason, address, sender, from ("network" or "NODE/IF"), packets, last
 *   {"op":"status"} => {"ok","fabric","serial","pid","version","uptime","workers":[{"id","packets","bursts","sleeps","busy_share"}],
 *                       "paths":{"on","hits","misses","paths","capacity","recipes","windows","installed","evicted","refused","memory_bytes"},
 *                       "memory_bytes","links","guests","routers"}
 *   {"op":"probe","node":ROUTER,"to":ADDR,"ttl":N?,"size":N?,"df":bool?,"src":ADDR?,"timeout_ms":N?,"seq":N?}
 *                   => {"ok","reply":"echo"|"time-exceeded"|"unreachable"|"timeout"|"drop","from":ADDR?,"code":N?,"mtu":N?,
 *                       "ttl":N?,"rtt_us":X?,"size":N?,"reason":TEXT?}  `size`: ICMP payload bytes, both ways    -- "drop": our own engine dropped it, `reason` says why
 *   {"op":"osa","osa":NAME,"do":D,...}   an adapter, live; the next apply puts back what the configuration says (also from the keeper)
 *       role, "node","interface"?,"role":WORD,"protocol":"ipv4"|"ipv6"?    both protocols without
 *       add, del, "node","interface"?,"address":ADDR,"kind":"address"|"vipa"|"rxip"?   add may be ok with "code","word": the LAN is offline
 *       isolation, "node","interface"?,"isolation":"none"|"forward"|"drop"
 *       network, "up":bool           the network side is plugged or unplugged
 *                   => {"ok"}; refused: "error", and what the port answered: "code","word","holder"?
 *   {"op":"rules","node":ROUTER} => {"ok","serial":N} with a descriptor: its rules, flat, with their counters
 *   {"op":"sets","node":ROUTER,"name":SET?,"list":bool?} => {"ok","text"}: as ipset save or list prints them
 *   {"op":"conntrack","node":ROUTER,"what":W,...}
 *       list, "cursor":N?            => {"ok","connections":[{"index","id","line"}],"cursor","more":bool}: a page; lines as conntrack -L
 *       count                        => {"ok","count","max","buckets","memory","found","invalid","insert","drop","early_drop",...}
 *       delete, "connections":[{"index","id"}]  => {"ok","deleted":N}          flush => {"ok"}
 *       events                       => {"ok"}, then {"event":"[NEW]"|"[UPDATE]"|"[DESTROY]","line"} each, {"dropped":N} when the reader was too slow
 *   {"op":"capture","at":"ROUTER:INTERFACE"|link name|guest:interface,"filter":[[code,jt,jf,k],...]?,"snaplen":N?}
 *                   => {"ok","linktype":101 (raw IP) | 1 (Ethernet)}, then a message a packet:
 *                      {"ts_ns":N,"len":N,"dir":"in"|"out","data":"<base64>"}, and {"dropped":N} when the reader was too slow.
 *                      Closing the connection ends it.
 *   {"op":"queue","node":ROUTER,"number":N,"copy":BYTES?}   packets of -j NFQUEUE (filters/queue_client is a library for programs)
 *                   => {"ok"}, then a message a packet: {"id":N,"hook":"FORWARD",...,"in":NAME,"out":NAME ("": none),"mark":N,"len":N,
 *                      "ts_ns":N,"data":"<base64>","gso":N? (a super-packet: bytes of a segment, layer 4 checksum unfinished)}.
 *                      Closing the connection ends it, and drops what waits; the engine closes it when the router goes.
 *   {"op":"verdict","id":N,"verdict":"accept"|"drop"|"repeat"|"queue","number":N (with "queue"),"mark":N?,"data":"<base64>"?}
 *                   on such a connection. No answer, unless it makes no sense: {"ok":false,"error"}. The id of a packet that does not wait any more
 *                   is no error. "data" is the packet from now on; its checksums are made by the engine.
 *
 * BETWEEN KEEPER AND ENGINE (a socket pair; descriptor 3 of the engine)
 *   keeper: {"op":"ports","names":[...]} with one descriptor a name, in order: kept until an apply uses them.
 *             names: "GUEST/INTERFACE" (TUN or TAP in its namespace), "ROUTER/INTERFACE" (TUN of its control namespace),
 *             "OSA" (AF_PACKET socket bound to its device, PACKET_VNET_HDR set)                    no answer
 *             A name in use that is offered again (its guest was made anew) gets the new descriptor at the next apply.
 *   keeper: {"op":"apply","config":"<yaml>","origin":"FILE","serial":N}    => {"ok"} or {"ok":false,"error"}: then nothing changed,
 *             and the descriptors offered since the last apply are closed. When it answers ok, it has closed the
 *             descriptors of all ports that are gone.
 *             A descriptor beside it is a bundle: the rules of every router; without, they stay.
 *   keeper: {"op":"edit",...,"whole":bool}: as it came to the keeper; "whole": with the answer, if it is ok, comes a descriptor of the rules as they
 *             have become, flat
 *   keeper: {"op":"rules",...}, {"op":"sets",...}: as they came to the keeper. The answer to "sets" may have "text": what all sets have come to
 *   keeper: {"op":"guest","port":"GUEST/INTERFACE","up":bool}  the guest has set its interface up or down       no answer
 *   keeper: {"op":"guest","port":"GUEST/INTERFACE","addresses":[PREFIX]}  all IPv4 addresses there, after it changed them  no answer
 *   keeper: {"op":"osa-carrier","osa":NAME,"up":bool}  the device of an adapter has gained or lost its carrier              no answer
 *   The engine ends when this socket closes.
 */
#ifndef FABRIC_CONTROL_PROTO_H
#define FABRIC_CONTROL_PROTO_H

#include <stddef.h>

enum { ENGINE_KEEPER_FD = 3, ENGINE_LISTEN_FD = 4 };

/* Writes the directory that holds the run directories of this user's fabrics to buf. => 0 or -ENAMETOOLONG. */
int run_root(char *buf, size_t size);
/* The run directory of one fabric. */
int run_directory(const char *fabric, char *buf, size_t size);

#endif
