#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Is the differential test of the path cache (tests/unit/path_test.c) worth its name? Each row below plants one fault in a copy of the
tree; the test must fail. A fault that is not found, or whose line is no longer in its file, fails the run.

    tests/faults/paths.py [NAME ...]      only these faults, by a part of their name
    BUILD, CC                             as for make; release and cc without
    FAULT_PACKETS, FAULT_SEEDS            of each random journey, and the seeds to try in turn
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

FAST, CONN, RECORD, RECIPE, TABLE = (f"fabric/engine/path_{n}.c" for n in ("fast", "conn", "record", "recipe", "table"))
WINDOW = "filters/conntrack_path.h"
SEAM = "filters/conntrack_path.c"

# name, file, the text as it is (once in the file), the faulty text; perhaps more of both
FAULTS = [
    # what a packet must be
    ("TTL that does not suffice", FAST, "if (ip[8] < path->ttl_least)", "if (0)"),
    ("exact TTL not asked", FAST, "path->flags & PATH_EXACT_TTL && ip[8]", "0 && ip[8]"),
    ("TTL rule leaves no guard", RECORD, "if (rec->guards & GUARD_TTL) {", "if (0) {"),
    ("exact length not asked", FAST, "return len == path->length && !pkt_is_gso(p);", "return !pkt_is_gso(p);"),
    ("longer than the MTU", FAST, "\treturn len <= path->length;", "\treturn true;"),
    ("segments longer than the MTU", FAST, "return size <= path->length;", "return true;"),
    ("super-packet judged by its whole", FAST, "size = IP + (ip[IP + 12] >> 4) * 4u + p->gso_size;", "size = len;"),
    ("wrong layer 4 checksum taken", FAST, "path->flags & PATH_JUDGES_SUM && ", "0 && "),
    ("wrong IP checksum taken", FAST, " || header_sum(ip) != 0xffff)", ")"),
    ("fragments taken", FAST, " || load16(ip + 6) & htons(IP_MF | IP_OFFMASK))", ")"),
    ("FIN taken", FAST, "(tcp[13] & ~FLAG_PSH) != FLAG_ACK)", "(tcp[13] & ~FLAG_PSH & ~1) != FLAG_ACK)"),
    ("RST taken", FAST, "(tcp[13] & ~FLAG_PSH) != FLAG_ACK)", "(tcp[13] & ~FLAG_PSH & ~4) != FLAG_ACK)"),
    ("any TCP option taken", FAST, " && load32(tcp + 20) == htonl(0x0101080a);", ";"),
    ("UDP of another length taken", FAST, "return ntohs(load16(udp + 4)) == len && ", "return len && "),
    ("TOS not in the key", FAST, "(uint64_t)ip[1] << KEY_TOS_SHIFT;", "(uint64_t)0 << KEY_TOS_SHIFT;"),
    ("protocol not in the key", FAST, "(uint64_t)ip[9] << KEY_PROTO_SHIFT |", "(uint64_t)6 << KEY_PROTO_SHIFT |"),
    ("port of entry not in the key", FAST, "(uint64_t)in->slot << KEY_SLOT_SHIFT |", "(uint64_t)0 << KEY_SLOT_SHIFT |"),
    ("frame's header not compared", FAST, "if (r->l2_in && memcmp(", "if (0 && memcmp("),
    ("TCP flags that a rule reads", RECORD, " || rec->guards & GUARD_TCP_FLAGS)", ")"),
    # how it changes
    ("partial checksum amended as a whole one", FAST, "if (unlikely(p->flags & PKT_CSUM_PARTIAL)) {", "if (0) {"),
    ("UDP without a checksum gets one", FAST, "} else if (!udp || sum != 0) {", "} else {"),
    ("UDP checksum 0 stays 0", FAST, "sum = udp && sum == 0 ? 0xffff : sum;", ";"),
    ("IP checksum without the TTL", RECORD, "(uint16_t)~htons((uint16_t)(path->ttl_less << 8)));", "0u);"),
    ("TOS stays", FAST, "ip[1] = path->tos;", ";"),
    ("flags of the descriptor stay", FAST, "p->flags &= PKT_CSUM_PARTIAL | PKT_CSUM_VALID;", "p->flags &= PKT_CSUM_PARTIAL;"),
    # windows
    ("end of the window not asked", WINDOW, "if (!seq_before(seq, sender->maxend + 1) || ", "if ("),
    ("old segments taken", WINDOW, "!seq_after(end, sender->end - receiver->maxwin - 1) || ", ""),
    ("ACK of what was not sent", WINDOW, "!seq_before(ack, receiver->end + 1) ||", "0 ||"),
    ("old ACK taken", WINDOW, " || !seq_after(ack, receiver->end - recent - 1))", ")"),
    ("last window not kept", WINDOW, "t->last_win = raw_win;", ";"),
    ("retransmissions not counted", WINDOW, "t->retrans++;", ";"),
    ("retransmissions not forgotten", WINDOW, "t->retrans = 0;", ";"),
    ("unacknowledged data not cleared", WINDOW, "if (ack == receiver->end)", "if (0)"),
    ("unacknowledged data not noted", WINDOW, "sender->flags |= TCP_DATA_UNACKED;", ";"),
    ("window 0 as any", WINDOW, " + (win == 0);", ";"),
    ("both directions as one", FAST, "path->flags & PATH_REPLY ? CT_DIR_REPLY : CT_DIR_ORIGINAL;", "CT_DIR_ORIGINAL;"),
    ("window followed while suspended", CONN, "p->flags |= PATH_SUSPENDED;", ";"),
    ("suspension of one path only", CONN, "\t\tif (p->window)\n\t\t\tp->flags", "\t\tif (p->window && ref == conn->paths)\n\t\t\tp->flags"),
    ("window not loaded again", CONN, "c->all->windows[p->window] = conn->tcp;", ";"),
    ("window shared by connections that differ", CONN, "if (memcmp(&conn->tcp, &first->tcp, sizeof(first->tcp)) != 0 || ", "if ("),
    ("window shared by other connections, too", CONN, "|| c->all->windows_more[w].n_conns != rec->n_conns))", "))"),
    ("window not given back", CONN, ".tcp = live ? &window : NULL}", ".tcp = NULL}"),
    # connections
    ("changed connection keeps its paths", CONN, "while (conn->paths) {", "while (0) {"),
    ("expiry does not ask the paths", "filters/conntrack_table.h",
     "\tif (likely(c->expires > now))\n\t\treturn false;\n\tconn_touch(ct, c);", "\tif (likely(c->expires > now))\n\t\treturn false;\n\t(void)ct;"),
    ("paths asked about one of their two directions", CONN, "for (uint32_t ref = conn->paths; ref; ref = conn_of(paths, ref)->next) {\n\t\tconst",
     "for (uint32_t ref = conn->paths; ref; ref = 0) {\n\t\tconst"),
    ("connection credited in the other direction", CONN, "passed.packets[pc->dir] = p->packets;", "passed.packets[!pc->dir] = p->packets;"),
    ("connection credited twice", CONN, "\tp->packets = 0;\n\tp->bytes = 0;", "\tp->bytes = 0;"),
    ("only the first connection credited", CONN, "k < more->n_conns && (p->packets || live)", "k < 1 && k < more->n_conns && (p->packets || live)"),
    ("a path ends without credit", TABLE, "\tpath_conns_credit(c, path);\n", ""),
    ("a recipe ends without credit", RECIPE, "\trecipe_credit(c, recipe);\n\tleave_index", "\tleave_index"),
    ("timeout not renewed", CONN, "more->conns[k].timeout = rec->conns[k].timeout;", ";"),
    ("new connections recorded", SEAM, " || state != CT_ESTABLISHED)", ")", " || !is_settled(c) ||", " ||"),
    ("unsettled connections recorded", SEAM, " || !is_settled(c) ||", " ||"),
    ("UDP that becomes a stream unseen", SEAM, "record_until(recorder, c->udp.stream_since);", ";"),
    ("INVALID packets recorded", SEAM, "record_refuse(recorder, \"it is INVALID\");", ";"),
    ("credit does not move the end", SEAM, "c->expires = RTE_MAX(c->expires, passed->last + passed->timeout);", ";"),
    ("TCP credit does not move the end", SEAM,
     "c->expires = passed->last + tcp_timeout(&r->tunables, passed->tcp, TCP_IS_ACK, TCP_CT_ESTABLISHED);", ";"),
    ("paths outlive short timeouts", RECORD, "if (!outlives_pauses(rec) || ", "if ("),
    ("exact length of a super-packet", RECORD, " || !length_says_all(rec, p))", ")"),
    ("each path credited with the youngest of all", CONN, "p->window ? last : path_last(p, paths->seam.env->now));", "last);"),
    # what paths depend on
    ("epoch not compared", FAST, "if (unlikely(r->dead || (r->epoch != epoch && ", "if (unlikely(r->dead || (0 && "),
    ("versions not compared", RECIPE, "if (is_current(&c->recipes_more[recipe]))", "if (1)"),
    ("renewed for ever", FAST, "(int16_t)(path_until(now) - p->until) < 0;", "1;"),
    ("routing leaves its router out", "fabric/router/route.c", "record_read(p->recorder, &p->router->live->version);", ";"),
    ("interface of entry left out", "fabric/router/route.c", "record_read(p->recorder, &p->in->live->version);", ";"),
    ("neighbour left out", "routing/neigh.c", "record_read(p->recorder, &n->version);", ";"),
    ("LAN left out", "fabric/lan/switch.c", "record_read(p->recorder, lan_version(lan->live));", ";"),
    ("flooded frames recorded", "fabric/lan/switch.c", "record_refuse(p->recorder, \"a LAN flooded it\");", ";"),
    ("captured packets recorded", "fabric/router/stages.h", "record_refuse(p->recorder, \"it is captured\");", ";"),
    ("MTU not noted", "fabric/router/forward.c", "record_most(s->p->recorder, s->p->mtu);", ";"),
    # what recipes count
    ("recipe: packets of super-packets", RECIPE, "to->segments ? r->segments : r->packets;", "r->packets;"),
    ("recipe: rules count segments", RECIPE, "to->segments ? r->segments : r->packets;", "r->segments;"),
    ("recipe: bytes without the frame", RECIPE, "r->bytes + to->extra * r->packets;", "r->bytes;"),
    ("recipe: not credited when it is swept", RECIPE, "\trecipe_credit(c, recipe);\n\tif", "\tif"),
    ("recipes of other rules taken", RECIPE, "return mix(h, rec->credits, rec->n_credits * sizeof(rec->credits[0]));", "return h;",
     " &&\n\t       memcmp(more->credits, rec->credits, rec->n_credits * sizeof(rec->credits[0])) == 0;", ";"),
    ("recipes of other objects taken", RECIPE, "h = mix(h, rec->reads, rec->n_reads * sizeof(rec->reads[0]));", ";",
     "\n\t       memcmp(more->reads, rec->reads, rec->n_reads * sizeof(rec->reads[0])) == 0 &&", ""),
    ("renewed by another journey", RECORD, "if (!is_same_journey(path, wanted) || ", "if ("),
]

PACKETS = os.environ.get("FAULT_PACKETS", "60000")
SEEDS = os.environ.get("FAULT_SEEDS", "1 3 5").split()
BUILD = os.environ.get("BUILD", "release")
TEST = f"build/{BUILD}/tests/unit/path_test"
HANGS = 120  # s


def make(tree):
    cc = [f"CC={os.environ['CC']}"] if "CC" in os.environ else []
    done = subprocess.run(["make", "-s", "-j2", f"BUILD={BUILD}", *cc, "CFLAGS=-Wno-error", TEST], cwd=tree, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"make {TEST}:\n{done.stdout}{done.stderr}")


def failing_seed(tree):
    """=> the first seed with which the test fails or hangs, and its last words; None: it passes with all."""
    for seed, extra in [(s, e) for s in SEEDS for e in ({}, {"PATH_TEST_EXPIRY": "1"})]:
        try:
            done = subprocess.run([f"./{TEST}"], cwd=tree, env={**os.environ, "TEST_SEED": seed, "PATH_TEST_PACKETS": PACKETS, **extra},
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=HANGS)
        except subprocess.TimeoutExpired:
            return seed, f"not done after {HANGS} s"
        if done.returncode:
            words = [s for s in done.stdout.splitlines() if "journey:" in s or "error:" in s or "ERROR:" in s or "!=" in s]
            return seed, words[0].strip() if words else f"ended with {done.returncode}"
    return None


def plant(tree, fault):
    """=> why the test fails, and with which seed; None: it does not."""
    name, file, *edits = fault
    path = tree / file
    whole = wrong = path.read_text()
    for text, instead in zip(edits[::2], edits[1::2]):
        if whole.count(text) != 1:
            sys.exit(f"{name}: its text is {whole.count(text)} times in {file}, not once: {text!r}")
        wrong = wrong.replace(text, instead)
    path.write_text(wrong)
    try:
        make(tree)
        return failing_seed(tree)
    finally:
        path.write_text(whole)


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    rows = [f for f in FAULTS if not sys.argv[1:] or any(a in f[0] for a in sys.argv[1:])]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="faults.") as temporary:
        tree = pathlib.Path(temporary) / "tree"
        shutil.copytree(root, tree, symlinks=True, ignore=lambda at, names: [
            n for n in names if n == ".git" or (pathlib.Path(at) == root / "build" and n != BUILD)])
        make(tree)
        if (found := failing_seed(tree)):
            sys.exit(f"the test fails without a fault, with seed {found[0]}: {found[1]}")
        for fault in rows:
            found = plant(tree, fault)
            missed += not found
            print(f"{'found ' if found else 'MISSED'} {fault[0]}{': seed %s: %s' % found if found else ''}", flush=True)
    print(f"{len(rows) - missed} of {len(rows)} faults found")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())
