#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong, goes wrong: each ends in one clear sentence, and with no leftovers.

  a 10.1.0.2 ── iucv ── .1 r1 10.8.0.1 ── iucv ── .2 r2 10.2.0.1 ── iucv ── .2 b
"""
import os
import re
import signal
import subprocess

import lab
from lab import Lab, ROOKERY, Skip, check, check_equal, one_sentence, run_rookery, wait_for

CONFIG = """fabric: robust
routers:
  r1:
    forward: true
    interfaces:
      a:  {iucv: a, address: 10.1.0.1, mtu: 1500}
      r2: {iucv: r2, address: 10.8.0.1, mtu: 1500}
    routes: [{to: default, via: 10.8.0.2}]
  r2:
    forward: true
    interfaces:
      r1: {iucv: r1, address: 10.8.0.2, mtu: 1500}
      b:  {iucv: b, address: 10.2.0.1, mtu: 1500}
    routes: [{to: default, via: 10.8.0.1}]
guests:
  a: {interfaces: {iucv0: {iucv: r1, address: 10.1.0.2, mtu: 1500}}, run: sleep 1000000}
  b: {interfaces: {iucv0: {iucv: r2, address: 10.2.0.2, mtu: 1500}}, run: sleep 1000000}
"""
B = "10.2.0.2"


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def engine_dies(suite, net):
    with suite.test("kill -9 of the engine: the keeper starts it again, traffic goes on, programs live"):
        net.wait_ping("a", B)
        net.command("add", "route", "r1", "10.77.0.0/16", "discard")
        before = net.engine_pid()
        listed = lab.processes()
        program = {p for p in net.guest_processes() if listed.get(p) == "sleep 1000000"}
        kill(before)
        wait_for(lambda: net.engine_pid() not in (before, 0, None, -1), "another engine", 10)
        net.wait_ping("a", B, 10)
        check_equal(lab.alive(program), program, "programs of the guests")
        check(any(r["to"] == "10.77.0.0/16" for r in net.show("routes", "r1")), "the live route is gone")
    with suite.test("the log says so in one line"):
        lines = [l for l in (net.run_directory / "log").read_text(errors="replace").splitlines()
                 if re.search(r"engine.*(kill|signal|end|died|gone)|(kill|signal).*engine", l, re.I)]
        check(lines, "no line about it")
    with suite.test("three times more, and what was changed live is still there"):
        for _ in range(3):
            before = net.engine_pid()
            kill(before)
            wait_for(lambda: net.engine_pid() not in (before, 0, None, -1), "another engine", 20)
            net.wait_ping("a", B, 20)
        check(any(r["to"] == "10.77.0.0/16" for r in net.show("routes", "r1")), "the live route is gone")


def kill_engine_for_good(net):
    """An engine that dies again and again is given up, and the fabric with it."""
    for _ in range(6):
        before = net.engine_pid()
        kill(before)
        if not lab.wait_for(lambda: engine_or_end(net, before), "another engine, or the end", 20) > 0:
            return
    wait_for(lambda: not net.run_directory.exists(), "the fabric ends", 10)


def engine_or_end(net, before):
    """Process id of the next engine; -1 when the fabric has ended."""
    if not net.run_directory.exists():
        return -1
    pid = net.engine_pid()
    return pid if pid not in (before, 0, None) else 0


def gone_after(suite, name, end):
    """A lab of its own that is ended by `end(net)`; everything of it goes by itself."""
    with suite.test(name):
        net = Lab(CONFIG, "robust")
        suite.labs.append(net)
        net.start()
        net.wait_ping("a", B)
        pids = net.daemons() | net.guest_processes()
        check(len(pids) >= 4, f"only {len(pids)} processes: {pids}")
        for agent in net.agents.values():
            agent.close()
        net.agents.clear()
        end(net)
        net.running = False
        suite.labs.remove(net)
        try:
            wait_for(lambda: not lab.alive(pids), "processes are gone", 10)
            left = net.run_directory.exists()
            # A keeper that was killed cannot remove its directory: whoever comes next does.
            listed = net.name in run_rookery("lab", "list").stdout
            stopped = run_rookery("lab", "stop", net.name, ok=False)
            check(not net.run_directory.exists(), f"the run directory is left (before lab stop: {left}, listed: {listed}, "
                  f"lab stop said {stopped.stderr.strip() or stopped.stdout.strip()!r})")
            net.check_gone(pids)
        finally:
            lab.abandon(net)


def kill_keeper(net):
    kill(net.keeper_pid())


def kill_both(net):
    keeper, engine = net.keeper_pid(), net.engine_pid()
    kill(engine)
    kill(keeper)


def started_again(suite):
    with suite.test("after a killed keeper the same fabric starts again"):
        net = Lab(CONFIG, "robust")
        suite.labs.append(net)
        net.start()
        pids = net.daemons() | net.guest_processes()
        kill(net.keeper_pid())
        wait_for(lambda: not lab.alive(pids), "processes are gone", 10)
        net.start()
        net.wait_ping("a", B)
        suite.end(net)


def attached(suite):
    for name, number in (("Ctrl-C", signal.SIGINT), ("a hang-up", signal.SIGHUP), ("SIGTERM", signal.SIGTERM)):
        with suite.test(f"{name} ends an attached lab and leaves nothing"):
            net = Lab(CONFIG, "robust")
            process = subprocess.Popen([ROOKERY, "lab", str(net.file)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, env=lab.environment("lab"), start_new_session=True)
            try:
                net.running = True
                wait_for(lambda: run_rookery("-f", net.name, "show", "status", ok=False).returncode == 0, "the fabric is up", 30)
                net.wait_ping("a", B)
                pids = net.daemons() | net.guest_processes()
                for agent in net.agents.values():
                    agent.close()
                net.agents.clear()
                process.send_signal(number)
                wait_for(lambda: process.poll() is not None, "the command ends", 20)
                net.running = False
                net.check_gone(pids | {process.pid})
            finally:
                lab.end_process(process)
                lab.abandon(net)


def killed_command(suite):
    with suite.test("kill -9 of an attached lab's command leaves nothing either, or a lab that stops"):
        net = Lab(CONFIG, "robust")
        process = subprocess.Popen([ROOKERY, "lab", str(net.file)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=lab.environment("lab"), start_new_session=True)
        try:
            wait_for(lambda: run_rookery("-f", net.name, "show", "status", ok=False).returncode == 0, "the fabric is up", 30)
            pids = net.daemons() | net.guest_processes()
            process.kill()
            process.wait()
            run_rookery("lab", "stop", net.name, ok=False)
            net.check_gone(pids, 20)
        finally:
            lab.abandon(net)


def private_mounts(command, setup):
    """Runs a shell line in a mount namespace of its own, after `setup` there."""
    if os.geteuid() == 0:
        wrap = ["unshare", "--mount", "--propagation", "private"]
    else:
        wrap = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"]
    return subprocess.run(wrap + ["sh", "-c", f"{setup}\n{command}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60 * lab.SCALE, env=lab.environment("lab"))


def nothing_runs(net):
    wait_for(lambda: not {p for p, c in lab.processes().items() if net.name in c and p != os.getpid()}, "no processes of it", 5)


def full_disk(suite):
    with suite.test("a full disk under the run directory is said in a sentence"):
        if os.geteuid() != 0:
            raise Skip("only as root: the run directory of an ordinary user is not ours to mount over here")
        net = Lab(CONFIG, "robust")
        setup = ("mkdir -p /run/rookery && mount -t tmpfs -o size=16k,nr_inodes=20 none /run/rookery "
                 "&& head -c 65536 /dev/zero > /run/rookery/fill 2>/dev/null; true")
        result = private_mounts(f"{ROOKERY} lab {net.file} -d; s=$?; ls /run/rookery; exit $s", setup)
        check_equal(result.stdout.split(), ["fill"], "what is left in the run directory")
        one_sentence(subprocess.CompletedProcess([], result.returncode, "", result.stderr), "space|full")
        nothing_runs(net)
    with suite.test("a run directory that cannot be written is said in a sentence"):
        if os.geteuid() != 0:
            raise Skip("only as root")
        net = Lab(CONFIG, "robust")
        result = private_mounts(f"{ROOKERY} lab {net.file} -d",
                                "mkdir -p /run/rookery && mount -t tmpfs -o size=16k,ro none /run/rookery")
        one_sentence(result, "/run/rookery|read-only")
        nothing_runs(net)


def no_tun(suite):
    with suite.test("a missing /dev/net/tun is said in a sentence"):
        if os.geteuid() != 0:
            raise Skip("only as root")
        net = Lab(CONFIG, "robust")
        result = private_mounts(f"{ROOKERY} lab {net.file} -d; s=$?; ls /run/rookery 2>/dev/null; exit $s",
                                "mount -t tmpfs none /dev/net")
        one_sentence(subprocess.CompletedProcess([], result.returncode, "", result.stderr), "/dev/net/tun")
        check(net.name not in result.stdout, "the run directory is left")
        nothing_runs(net)
        check(not net.run_directory.exists(), "the run directory is left")


def taken(suite, net):
    with suite.test("a fabric whose name is taken is refused, and the first goes on"):
        one_sentence(run_rookery("lab", str(net.file), "-d", ok=False), net.name)
        net.wait_ping("a", B)
    with suite.test("a guest whose name is taken, in any case, is refused"):
        one_sentence(net.command("add", "guest", "A", "--to", "r1", ok=False), "a")
    with suite.test("a device that is not there is refused, and nothing is left"):
        other = Lab(CONFIG.replace("routers:", "osa: {osa0: {device: nodev77}}\nrouters:", 1)
                    .replace("      r2: {iucv: r2,", "      eth0: {osa: osa0, address: 192.0.2.1/24}\n      r2: {iucv: r2,", 1), "robust")
        one_sentence(run_rookery("lab", str(other.file), "-d", ok=False), "nodev77")
        nothing_runs(other)
        check(not other.run_directory.exists(), "the run directory is left")


def unknown(suite, net):
    cases = (("an unknown guest in exec", ("exec", "tux9", "--", "true"), "tux9"),
             ("a router without a control namespace in exec", ("exec", "r1", "--", "true"), "r1"),
             ("an unknown guest to remove", ("remove", "guest", "tux9"), "tux9"),
             ("an unknown router in ping", ("ping", "-c", "1", "r9", B), "r9"),
             ("an unknown node in show", ("show", "interfaces", "tux9"), "tux9"),
             ("an impossible route: its gateway is not on a link", ("add", "route", "r1", "10.99.0.0/16", "via", "172.16.0.1"), "172.16.0.1"),
             ("an impossible route: its interface is not there", ("add", "route", "r1", "10.99.0.0/16", "via", "10.8.0.2", "dev", "eth7"), "eth7"),
             ("an impossible route: host bits", ("add", "route", "r1", "10.99.0.1/16", "via", "10.8.0.2"), "10.99.0"),
             ("an impossible prefix", ("add", "route", "r1", "10.99.0.0/33", "via", "10.8.0.2"), "10.99.0.0/33"),
             ("a route that is not there to remove", ("remove", "route", "r1", "10.99.0.0/16"), "10.99.0.0/16"),
             ("an unknown interface", ("set", "interface", "r1", "eth7", "down"), "eth7"),
             ("an impossible MTU", ("set", "interface", "r1", "a", "mtu", "3"), "mtu|3"))
    for name, arguments, word in cases:
        with suite.test(f"{name} is refused in a sentence, and nothing changes"):
            before = net.command("show", "config").stdout
            one_sentence(net.command(*arguments, ok=False), re.escape(word) if "|" not in word else word)
            check_equal(net.command("show", "config").stdout, before, "configuration")
    with suite.test("an unknown fabric is refused in a sentence"):
        one_sentence(run_rookery("-f", "nosuch", "show", "links", ok=False), "nosuch")
        one_sentence(run_rookery("lab", "stop", "nosuch", ok=False), "nosuch")
    with suite.test("a file that is not there, or not a configuration, is refused"):
        one_sentence(run_rookery("lab", "/nowhere.yaml", "-d", ok=False), "/nowhere.yaml")
        bad = lab.work_directory() / "bad.yaml"
        bad.write_text("fabric: bad\nrouters: {r1: {interfaces: {a: {iucv: nobody, address: 10.0.0.1}}}}\n")
        check(re.search(r"bad\.yaml:2:\d+: ", run_rookery("lab", str(bad), "-d", ok=False).stderr), "no place in the message")
        check(not (lab.run_root() / "bad").exists(), "a run directory is left")
    with suite.test("a bad configuration applied live is refused whole"):
        before = net.command("show", "config").stdout
        file = lab.work_directory() / "worse.yaml"
        file.write_text(net.text.replace("via: 10.8.0.2", "via: 10.66.0.2"))
        result = net.command("apply", str(file), ok=False)
        check(result.returncode != 0 and re.search(r"worse\.yaml:\d+:\d+: ", result.stderr), f"said {result.stderr!r}")
        check_equal(net.command("show", "config").stdout, before, "configuration")
    with suite.test("the status of a program in exec is that of the command"):
        check_equal(net.exec("a", "sh", "-c", "exit 7", ok=False).returncode, 7, "status")
        check(net.exec("a", "/nowhere/program", ok=False).returncode in (126, 127), "status of a missing program")


def live_apply(suite, net):
    with suite.test("apply takes what differs, --dry-run only says it"):
        file = lab.work_directory() / "more.yaml"
        file.write_text(net.text.replace("guests:\n", "guests:\n  c: {interfaces: {iucv0: {iucv: r1, address: 10.3.0.2, mtu: 1500}}}\n")
                        .replace("      r2: {iucv: r2,", "      c:  {iucv: c, address: 10.3.0.1, mtu: 1500}\n      r2: {iucv: r2,", 1))
        said = net.command("apply", str(file), "--dry-run").stdout
        check(re.search(r"add.*\bc\b", said), f"it said {said!r}")
        check("c" not in {g["name"] for g in net.show("guests")}, "the dry run did it")
        net.command("apply", str(file))
        net.wait_ping("c", B)
        net.agents.pop("c").close()
        net.file.write_text(net.text)
        net.command("apply", str(net.file))
        check("c" not in {g["name"] for g in net.show("guests")}, "the guest is still there")


def body(suite):
    net = suite.lab(Lab(CONFIG, "robust"))
    taken(suite, net)
    live_apply(suite, net)
    unknown(suite, net)
    engine_dies(suite, net)
    suite.end(net)
    gone_after(suite, "kill -9 of the keeper: everything goes", kill_keeper)
    gone_after(suite, "kill -9 of both: everything goes", kill_both)
    gone_after(suite, "an engine that is killed six times within a minute is given up: everything goes", kill_engine_for_good)
    started_again(suite)
    attached(suite)
    killed_command(suite)
    full_disk(suite)
    no_tun(suite)


if __name__ == "__main__":
    lab.main(__file__, body)
