#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""FTP and TFTP through address translation, with real servers (NAT-19 of the specification).

  pc .2 ──┬── LAN private ── .1 ┌──────┐ .84 ── LAN office 9.12.6.0/24 ── server .75
  web .3 ─┘  192.168.10.0/24    │ gate │
                                └──────┘
Nobody in the office knows a way to the private LAN. Through SNAT pc asks server; through DNAT server asks web by gate's
address. Nothing new is forwarded but control connections: a data connection passes only if it is RELATED.

What is to be expected, and why:

             none                  tracking only           tracking and rewriting
  SNAT  PORT no: private address   no: private address     yes
        PASV no: not RELATED       yes: nothing to rewrite yes
  DNAT  PORT no: not RELATED       no: private source      yes
        PASV no: nobody at gate    no: nobody at gate      yes
"""
import re
import shutil
import subprocess
import sys
import lab
from lab import Skip, check, check_equal, wait_for
from programs import need

GATE, SERVER, PC, WEB = "9.12.6.84", "9.12.6.75", "192.168.10.2", "192.168.10.3"
FILES = lab.work_directory() / "ftp"
BIG = 300000

SERVE = f"""
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
class Handler(FTPHandler):
    authorizer = DummyAuthorizer()
    banner = "hello"
Handler.authorizer.add_anonymous("{FILES}")
FTPServer(("", int(sys.argv[1])), Handler).serve_forever()
"""

# MODE HOST PORT TIMEOUT TIMES: fetches a file over data connections of that kind, with commands in between.
FETCH = """
import ftplib, re, socket, sys
mode, host, port, timeout, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
def listen(ftp):
    s = socket.socket()
    s.settimeout(timeout)
    s.bind((ftp.sock.getsockname()[0], 0))
    s.listen()
    return s
def data(ftp):
    if mode == "EPSV":
        there = re.search(r"\\(\\|\\|\\|(\\d+)\\|\\)", ftp.sendcmd("EPSV")).group(1)
        s = socket.create_connection((host, int(there)), timeout)
        ftp.sendcmd("RETR big")
        return s
    s = listen(ftp)
    ftp.sendeprt(*s.getsockname())
    ftp.sendcmd("RETR big")
    return s.accept()[0]
def fetch(ftp):
    total = []
    if mode in ("PORT", "PASV"):
        ftp.set_pasv(mode == "PASV")
        ftp.retrbinary("RETR big", lambda b: total.append(len(b)))
        return sum(total)
    with data(ftp) as s:
        while (b := s.recv(65536)):
            total.append(len(b))
    ftp.voidresp()
    return sum(total)
try:
    ftp = ftplib.FTP(timeout=timeout)
    ftp.connect(host, port)
    ftp.login()
    ftp.voidcmd("TYPE I")
    print(*[(fetch(ftp), ftp.sendcmd("NOOP")[:3])[0] for _ in range(times)], ftp.size("big"))
    ftp.quit()
except Exception as e:
    print(type(e).__name__, e)
"""

TFTP = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(float(sys.argv[2]))
s.sendto(b"\\0\\1small\\0octet\\0", (sys.argv[1], 69))
try:
    got, last = b"", 512
    while last == 512:
        block, there = s.recvfrom(2048)
        code, number = struct.unpack("!HH", block[:4])
        assert code == 3, block
        got, last = got + block[4:], len(block) - 4
        s.sendto(struct.pack("!HH", 4, number), there)
    print(len(got), there[0])
except Exception as e:
    print(type(e).__name__, e)
"""

NAT = {
    "SNAT": f"-A POSTROUTING -s 192.168.10.0/24 -o eth0 -j SNAT --to-source {GATE}",
    "DNAT": f"""-A PREROUTING -i eth0 -p tcp --dport 21 -j DNAT --to-destination {WEB}
-A PREROUTING -i eth0 -p tcp --dport 2121 -j DNAT --to-destination {WEB}:21
-A PREROUTING -i eth0 -p udp --dport 69 -j DNAT --to-destination {WEB}""",
}
RULES = """*raw
:PREROUTING ACCEPT
:OUTPUT ACCEPT
%s
COMMIT
*nat
:PREROUTING ACCEPT
:POSTROUTING ACCEPT
%s
COMMIT
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
-A INPUT -i eth0 -p tcp -j REJECT --reject-with tcp-reset
-A FORWARD -m state --state ESTABLISHED -j ACCEPT
-A FORWARD -m state --state RELATED -m helper --helper ftp -j ACCEPT
-A FORWARD -m state --state RELATED -m helper --helper tftp -j ACCEPT
-A FORWARD -m state --state RELATED -p icmp -j ACCEPT
-A FORWARD -p tcp --dport 21 --syn -j ACCEPT
-A FORWARD -p udp --dport 69 -j ACCEPT
-A FORWARD -j REJECT
COMMIT
"""

CONFIGURATION = """
fabric: ftp
lans:
  private: {mtu: 1500}
  office: {mtu: 1500}
routers:
  gate:
    forward: true
    interfaces:
      eth0: {lan: office, address: 9.12.6.84/24}
      eth1: {lan: private, address: 192.168.10.1/24}
    helpers: HELPERS
guests:
  pc:
    interfaces:
      eth0: {lan: private, address: 192.168.10.2/24}
    routes:
      - {to: default, via: 192.168.10.1}
  web:
    interfaces:
      eth0: {lan: private, address: 192.168.10.3/24}
    routes:
      - {to: default, via: 192.168.10.1}
  server:
    interfaces:
      eth0: {lan: office, address: 9.12.6.75/24}
"""
HELPERS = {"none": "{}", "tracking only": "{ftp: {nat: false}, tftp: {nat: false}}", "tracking and rewriting": "{ftp: {}, tftp: {}}"}
WORKS = {("SNAT", "PASV", "tracking only"), *((nat, mode, "tracking and rewriting") for nat in ("SNAT", "DNAT") for mode in ("PORT", "PASV"))}


def server_python():
    """The interpreter that has pyftpdlib: Debian's."""
    for python in (sys.executable, "/usr/bin/python3"):
        if shutil.which(python) and subprocess.run([python, "-c", "import pyftpdlib"], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    raise Skip("python3-pyftpdlib is not installed")


def configured(helpers):
    return CONFIGURATION.replace("HELPERS", helpers)


def apply(colony, helpers):
    """Another configuration, live."""
    file = colony.file.with_name(f"{colony.name}-next.yaml")
    file.write_text(re.sub(r"(?m)^fabric:.*$", f"fabric: {colony.name}", configured(helpers)))
    colony.command("apply", str(file))


def load(colony, nat, raw=""):
    """Other rules; what was connected is forgotten."""
    colony.command("iptables-restore", "-r", "gate", stdin=None, input=RULES % (raw, NAT[nat]))
    colony.command("conntrack", "-r", "gate", "-F")


def fetch(colony, nat, mode, port=21, times=2):
    guest, host = ("pc", SERVER) if nat == "SNAT" else ("server", GATE)
    return colony.agent(guest).run(sys.executable, "-c", FETCH, mode, host, str(port), str(lab.SCALE), str(times), timeout=30)[1].strip()


GOOD = f"{BIG} {BIG} {BIG}"


def matrix(suite, colony):
    """The twelve cases."""
    for name, helpers in HELPERS.items():
        apply(colony, helpers)
        for nat in NAT:
            load(colony, nat)
            for mode in ("PORT", "PASV"):
                works = (nat, mode, name) in WORKS
                with suite.test(f"{name}: {mode} through {nat} {'works' if works else 'does not work'}"):
                    got = fetch(colony, nat, mode)
                    check((got == GOOD) == works and (works or not got.startswith(str(BIG))), got)


def extended(suite, colony):
    for nat in NAT:
        load(colony, nat)
        for mode in ("EPRT", "EPSV"):
            with suite.test(f"{mode} through {nat}"):
                check_equal(fetch(colony, nat, mode), GOOD, "bytes")
    with suite.test("the port of the server counts, not the one that was asked for"):
        check_equal(fetch(colony, "DNAT", "PASV", port=2121), GOOD, "bytes")


def lossy(suite, colony):
    """Numbers stay right when rewritten segments, and what follows them, are sent again (NAT-20)."""
    load(colony, "SNAT")
    rule = ("FORWARD", "-p", "tcp", "--sport", "21", "-m", "statistic", "--mode", "nth", "--every", "7", "--packet", "3", "-j", "DROP")
    for direction in ("--sport", "--dport"):
        colony.command("iptables", "-r", "gate", "-I", rule[0], *rule[1:3], direction, *rule[4:])
    with suite.test("eight transfers in one session, and every seventh packet of it is lost"):
        check_equal(fetch(colony, "SNAT", "PORT", times=8), " ".join([str(BIG)] * 9), "bytes")
        check(colony.dropped("rule", "gate") > 3, "nothing was lost")


def tftp(suite, colony):
    for nat, guest, host in (("SNAT", "pc", SERVER), ("DNAT", "server", GATE)):
        load(colony, nat)
        with suite.test(f"TFTP through {nat}"):
            got = colony.agent(guest).run(sys.executable, "-c", TFTP, host, str(2 * lab.SCALE))[1].strip()
            check_equal(got, f"2000 {host}", "bytes, and from where")
    with suite.test("TFTP without a helper does not work"):
        apply(colony, HELPERS["none"])
        load(colony, "SNAT")
        got = colony.agent("pc").run(sys.executable, "-c", TFTP, SERVER, str(0.5 * lab.SCALE))[1].strip()
        check("2000" not in got, got)


def by_rule(suite, colony):
    """As kernels since 6.0 want it: no port gives a helper."""
    with suite.test("CT --helper: a rule gives the helper, and what is expected is listed as conntrack does"):
        load(colony, "SNAT", "-A PREROUTING -p tcp --dport 21 -j CT --helper ftp")
        check_equal(fetch(colony, "SNAT", "PORT"), GOOD, "bytes")
        load(colony, "DNAT", "-A PREROUTING -p tcp --dport 21 -j CT --helper ftp")
        check_equal(fetch(colony, "DNAT", "PASV"), GOOD, "bytes")
    with suite.test("what is expected is listed as conntrack(8) does"):
        program = (f"import ftplib, sys; f = ftplib.FTP(timeout=9); f.connect('{GATE}', 21); f.login(); "
                   "print(f.makepasv()[1], flush=True); sys.stdin.read()")
        events = lab.work_directory() / "expectations"
        with events.open("w") as file:
            colony.spawn("conntrack", "-r", "gate", "-E", "expect", stdout=file)
        wait_for(lambda: fetch(colony, "DNAT", "PASV", times=1) and "[NEW]" in events.read_text(), "a first event", 20)
        client = colony.spawn("exec", "server", "--", sys.executable, "-c", program, stdin=subprocess.PIPE)
        line = wait_for(lambda: colony.command("conntrack", "-r", "gate", "-L", "expect").stdout, "an expectation")
        check(re.fullmatch(rf"29\d proto=6 src={SERVER} dst={GATE} sport=0 dport=\d+ mask-src=255.255.255.255 mask-dst=255.255.255.255 "
                           rf"sport=0 dport=65535 master-src={SERVER} master-dst={GATE} sport=\d+ dport=21 class=0 helper=ftp\n", line), line)
        check_equal(colony.command("conntrack", "-r", "gate", "-C", "expect").stdout, "1\n", "their number")
        lines = colony.command("conntrack", "-r", "gate", "-L", "--dport", "21", "--state", "ESTABLISHED").stdout
        check(re.search(r"\[ASSURED\] mark=0 helper=ftp use=\d", lines), lines)
        check("expect_create=" in colony.command("conntrack", "-r", "gate", "-S").stdout, "no count of expectations")
        client.stdin.close()
        colony.command("conntrack", "-r", "gate", "-F")
        check_equal(colony.command("conntrack", "-r", "gate", "-L", "expect").stdout, "", "expectations without their master")
        tail = re.escape(line.strip().split(" ", 1)[1])
        wait_for(lambda: re.search(rf"(?m)^    \[NEW\] 300 {tail}\n\[DESTROY\] \d+ {tail}$", events.read_text()), "both events")


def body(suite):
    python = server_python()
    need("dnsmasq")
    FILES.mkdir(exist_ok=True)
    (FILES / "big").write_bytes(bytes(BIG))
    (FILES / "small").write_bytes(bytes(2000))
    for path in (FILES, FILES / "big", FILES / "small"):
        path.chmod(0o755)
    colony = lab.Lab(configured("{}"), name="ftp")
    suite.lab(colony)
    for guest in ("server", "web"):
        colony.spawn("exec", guest, "--", python, "-c", SERVE, "21")
        colony.spawn("exec", guest, "--", "/usr/sbin/dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--enable-tftp",
                     f"--tftp-root={FILES}", "--user=root", "--pid-file")
    for guest, host in (("server", SERVER), ("web", WEB)):
        wait_for(lambda: colony.agent(guest).run(sys.executable, "-c", FETCH, "PASV", host, "21", "2", "2")[1].strip() == GOOD,
                 f"the server of {guest}", 20)
    matrix(suite, colony)
    extended(suite, colony)
    lossy(suite, colony)
    tftp(suite, colony)
    by_rule(suite, colony)


lab.main(__file__, body)
