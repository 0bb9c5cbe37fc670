# SPDX-License-Identifier: GPL-2.0-or-later
"""What every lab test stands on: a fabric of its own, agents in its guests, waiting, and telling what went wrong.

A lab is started from a copy of its configuration under a name that no other lab has, so that tests run beside each other
and beside a fabric of the user. Nothing here sleeps for an effect: wait_for() looks again and again until a
condition holds or a deadline passes.

A script makes one Suite; each test is a `with suite.test("name")` block. It prints `ok NAME`, `not ok NAME: reason` or
`skip NAME: reason`, and after a failure what the fabric knows: counters, links, log, and the packets that the guests saw.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BUILD = os.environ.get("BUILD", "release")
BIN = Path(os.environ.get("ROOKERY_BIN", ROOT / "build" / BUILD)).resolve()
ROOKERY = str(BIN / "rookery")
SANITIZED = BIN.name == "asan"
SCALE = float(os.environ.get("ROOKERY_TIMESCALE", "4" if SANITIZED else "1"))
ENGINE_NODE = "-"  # how `show drops` calls the engine itself


class Failure(Exception):
    """An expectation that did not hold."""


class Skip(Exception):
    """A test that cannot be made here, and why."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def check_equal(got, expected, what):
    check(got == expected, f"{what}: got {got!r}, expected {expected!r}")


def wait_for(condition, what, timeout=10.0, interval=0.05):
    """Returns the first true value of condition(). A Failure inside counts as not yet, and is told at the end."""
    deadline = time.monotonic() + timeout * SCALE
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
        except Failure as failure:
            last = failure
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {timeout * SCALE:g} s" + (f" ({last})" if last else ""))
        time.sleep(interval)


def run_root():
    """Where the run directories of this user's fabrics are."""
    if os.geteuid() == 0:
        return Path("/run/rookery")
    if os.environ.get("XDG_RUNTIME_DIR"):
        return Path(os.environ["XDG_RUNTIME_DIR"]) / "rookery"
    return Path(f"/tmp/rookery-{os.geteuid()}")


# Commands that end by themselves in our own namespaces: there the leak checker can look. It cannot trace a process that
# dropped its privileges, and what `lab` and `exec` start inherits their environment.
LEAK_CHECKED = {"check", "apply", "add", "remove", "set", "show", "ping", "traceroute", "man", "completion", "help"}


def environment(*arguments):
    """For everything of ours: where the sanitizers write, so that a report of a daemon is not lost."""
    env = dict(os.environ)
    common = f"log_path={sanitizer_directory()}/report:exitcode=99"
    words = [a for i, a in enumerate(arguments) if not a.startswith("-") and (i == 0 or arguments[i - 1] != "-f")]
    leaks = 1 if words and words[0] in LEAK_CHECKED else 0
    env["ASAN_OPTIONS"] = f"{common}:detect_leaks={leaks}:disable_coredump=1:" + os.environ.get("ASAN_OPTIONS", "")
    env["UBSAN_OPTIONS"] = f"{common}:print_stacktrace=1:" + os.environ.get("UBSAN_OPTIONS", "")
    return env


_work = None


def work_directory():
    """A directory of this script's own, removed at its end."""
    global _work
    if _work is None:
        _work = Path(tempfile.mkdtemp(prefix="rookery-test-"))
        os.chmod(_work, 0o755)
    return _work


def sanitizer_directory():
    reports = work_directory() / "sanitizer"
    if not reports.exists():
        reports.mkdir()
        os.chmod(reports, 0o777)  # the engine writes there under another user id
    return reports


def processes():
    """{pid: command line} of every process that can be read."""
    found = {}
    for entry in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError):
            with open(entry + "/cmdline", "rb") as f:
                found[int(entry[6:])] = f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def alive(pids):
    """Those of the processes that still run; a dead one that nobody has waited for does not count."""
    listed = processes()
    return {p for p in pids if listed.get(p)}


def children_of(pid):
    """All descendants of a process."""
    parents = {}
    for entry in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(entry + "/stat") as f:
                parents[int(entry[6:])] = int(f.read().rsplit(")", 1)[1].split()[1])
    found, front = set(), {pid}
    while front:
        front = {p for p, parent in parents.items() if parent in front} - found
        found |= front
    return found


def cpu_seconds(pids):
    """User and system time of processes so far, in seconds."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
    return total / tick


def memory_bytes(pids):
    """Proportional resident memory of processes (PSS), in bytes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/smaps_rollup") as f:
                for line in f:
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
    return total


def network_namespaces():
    """Inodes of the network namespaces that some process is in."""
    found = set()
    for link in glob.glob("/proc/[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(link))
    return found


def named_namespaces():
    return {Path(p).name for p in glob.glob("/run/netns/*") + glob.glob("/var/run/netns/*")}


class Agent:
    """A program of ours inside one guest (agent.py): sends any packet, and keeps every packet it sees."""

    def __init__(self, lab, node):
        self.lab, self.node = lab, node
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [ROOKERY, "-f", lab.name, "exec", node, "--", sys.executable, str(HERE / "agent.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=environment(), text=True)
        self.lock = threading.Lock()
        self.call("hello")

    def call(self, op, **arguments):
        with self.lock:
            try:
                self.process.stdin.write(json.dumps(dict(arguments, op=op)) + "\n")
                self.process.stdin.flush()
                line = self.process.stdout.readline()
            except BrokenPipeError:
                line = ""
        if not line:
            self.errors.seek(0)
            raise Failure(f"agent in {self.node} ended: {self.errors.read().decode(errors='replace').strip()[-400:]}")
        reply = json.loads(line)
        if "error" in reply:
            raise Failure(f"agent in {self.node}, {op}: {reply['error']}")
        return reply

    def mark(self):
        """A point in time: seen() gives what came after it."""
        return self.call("mark")["n"]

    def seen(self, mark=0, match=None):
        """Packets since the mark: dicts with iface, out, proto, data (bytes from the network header on)."""
        packets = self.call("seen", since=mark)["packets"]
        for p in packets:
            p["data"] = bytes.fromhex(p.pop("hex"))
        return [p for p in packets if match is None or match(p)]

    def send(self, iface, *packets, mac=None, proto=0x0800, frame=False):
        """Sends packets from the network header on (or whole frames) as they are."""
        self.call("send", iface=iface, packets=[p.hex() for p in packets], mac=mac, proto=proto, frame=frame)

    def run(self, *argv, timeout=20):
        """=> (status, standard output and error)"""
        reply = self.call("run", argv=list(argv), timeout=timeout * SCALE)
        return reply["status"], reply["output"]

    def carrier(self, iface):
        return self.call("flags", iface=iface)["running"]

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Lab:
    """A fabric started from a configuration, under a name of its own."""

    counter = 0

    def __init__(self, text, name="lab", env=None):
        Lab.counter += 1
        self.name = f"{re.sub('[^a-z0-9]', '', name.lower())[:6]}{os.getpid() % 1000000}-{Lab.counter}"[:15]
        self.text = re.sub(r"(?m)^fabric:.*$", f"fabric: {self.name}", text)
        check(f"fabric: {self.name}" in self.text, "the configuration has no line `fabric: NAME`")
        self.file = work_directory() / f"{self.name}.yaml"
        self.file.write_text(self.text)
        os.chmod(self.file, 0o644)
        self.env = env
        self.agents, self.spawned, self.log = {}, [], None
        self.running = False
        note = os.environ.get("ROOKERY_TEST_LABS")
        if note:
            (Path(note) / self.name).touch()

    @classmethod
    def of(cls, path, **options):
        """From a file of configs/ (or any other)."""
        path = Path(path)
        if not path.is_absolute():
            path = ROOT / "configs" / path
        if not path.exists():
            raise Skip(f"{path.name} is not there")
        return cls(path.read_text(), name=path.stem.replace("-", ""), **options)

    @property
    def run_directory(self):
        return run_root() / self.name

    def command(self, *arguments, ok=True, timeout=30, stdin=subprocess.DEVNULL, **options):
        """Runs `rookery -f NAME ARGUMENTS`. => CompletedProcess; not ok raises unless ok=False."""
        return run_rookery("-f", self.name, *arguments, ok=ok, timeout=timeout, stdin=stdin, env=self.env, **options)

    def start(self, timeout=60):
        began = time.monotonic()
        try:
            self.start_detached(timeout)
        finally:
            self.running = self.run_directory.exists()
        took = time.monotonic() - began
        self.log = open(self.run_directory / "log", errors="replace")  # it outlives the directory
        check(self.status()["ready"], "the fabric is not ready when `lab -d` returns")
        return took

    def start_detached(self, timeout):
        """With files for its output: what it leaves running may hold on to them (two_layer.py tests that it does not)."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            try:
                status = subprocess.run([ROOKERY, "lab", str(self.file), "-d"], stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                                        env=self.env or environment("lab"), timeout=timeout * SCALE).returncode
            except subprocess.TimeoutExpired:
                raise Failure(f"the fabric does not start within {timeout * SCALE:g} s") from None
            errors.seek(0)
            if status != 0:
                raise Failure(f"`rookery lab` ended with {status}: {errors.read().decode(errors='replace').strip()}")

    def stop(self, timeout=60):
        """=> seconds it took. Checks that nothing is left."""
        for agent in self.agents.values():
            agent.close()
        self.agents.clear()
        for process in self.spawned:
            end_process(process)
        self.spawned.clear()
        if not self.running:
            return 0.0
        pids = self.daemons() | self.guest_processes()
        began = time.monotonic()
        run_rookery("lab", "stop", self.name, timeout=timeout, env=self.env)
        self.running = False
        took = time.monotonic() - began
        self.check_gone(pids)
        return took

    def check_gone(self, pids=(), timeout=5):
        """Nothing of this fabric is left: run directory, processes (by id, and by name), named namespaces."""
        def gone():
            check(not self.run_directory.exists(), f"{self.run_directory} is still there: "
                  + " ".join(os.listdir(self.run_directory) if self.run_directory.exists() else []))
            left = {p: c for p, c in processes().items() if (p in pids or self.name in c) and p != os.getpid() and c}
            check(not left, f"processes are left: {left}")
            names = [n for n in named_namespaces() if self.name in n]
            check(not names, f"namespaces are left: {names}")
            return True
        wait_for(gone, "nothing is left behind", timeout)

    def keeper_pid(self):
        return int((self.run_directory / "keeper.pid").read_text().split()[0])

    def engine_pid(self):
        return self.status()["engine_pid"]

    def daemons(self):
        """Process ids of keeper and engine, and of what the keeper keeps in each guest."""
        found, listed = set(), processes()
        with contextlib.suppress(OSError, ValueError, IndexError):
            found.add(self.keeper_pid())
        return found | {p for k in found for p in children_of(k) if "rookery" in listed.get(p, "")}

    def guest_processes(self):
        with contextlib.suppress(OSError, ValueError, IndexError):
            return children_of(self.keeper_pid())
        return set()

    def status(self):
        """What the keeper says, and in "engine" what the engine says."""
        return json.loads(self.command("show", "status", "--json").stdout)

    def show(self, what, *arguments):
        reply = json.loads(self.command("show", what, *arguments, "--json").stdout or "[]")
        return reply if isinstance(reply, list) else reply.get("records", reply)

    def drops(self):
        """{(node, reason): packets}"""
        return {(r["node"], r["reason"]): r["packets"] for r in self.show("drops")}

    def dropped(self, reason, node=None, since=None):
        """Packets dropped for a reason, at a node or anywhere (the engine included), since a drops() of before."""
        now, before = self.drops(), since or {}
        return sum(n - before.get(key, 0) for key, n in now.items()
                   if key[1] == reason and (node is None or key[0].lower() in (node.lower(), ENGINE_NODE)))

    def agent(self, node):
        if node not in self.agents:
            self.agents[node] = Agent(self, node)
        return self.agents[node]

    def exec(self, node, *argv, **options):
        return self.command("exec", node, "--", *argv, **options)

    def spawn(self, *arguments, **options):
        """Runs a rookery command in the background; ended with the lab."""
        process = subprocess.Popen([ROOKERY, "-f", self.name, *arguments],
                                   **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                                      "stderr": subprocess.PIPE, "env": self.env or environment(*arguments), **options})
        self.spawned.append(process)
        return process

    def ping(self, node, target, *options, count=1, wait=2):
        """System ping inside a guest. => (answers, output)"""
        _, output = self.agent(node).run("ping", "-n", "-c", str(count), "-W", str(wait), "-i", "0.2", *options, target,
                                         timeout=count + wait + 10)
        found = re.search(r"(\d+) received", output)
        return int(found[1]) if found else 0, output

    def wait_ping(self, node, target, timeout=10, *options):
        return wait_for(lambda: self.ping(node, target, *options, wait=1)[0] == 1, f"ping from {node} to {target}", timeout)

    def dump(self, to=sys.stdout):
        """What can be told about a lab in which something failed."""
        for what in ("drops", "links", "interfaces"):
            with contextlib.suppress(Exception):
                result = self.command("show", what, ok=False, timeout=10)
                tell(to, f"show {what}", result.stdout + result.stderr)
        if self.log:
            self.log.seek(0)
            tell(to, "log", "\n".join(self.log.read().splitlines()[-15:]))
        for node, agent in self.agents.items():
            with contextlib.suppress(Exception):
                import packets
                tell(to, f"last packets seen in {node}",
                     "\n".join(packets.describe_seen(p) for p in agent.seen()[-12:]))


def tell(to, title, text, most=100):
    print(f"#   {title}:", file=to)
    lines = text.splitlines()
    for line in lines[:most] + [f"... and {len(lines) - most} lines more"] * (len(lines) > most):
        print(f"#     {line}", file=to)


def run_rookery(*arguments, ok=True, timeout=30, env=None, stdin=subprocess.DEVNULL, **options):
    try:
        result = subprocess.run([ROOKERY, *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=env or environment(*arguments), timeout=timeout * SCALE, **{"text": True, **options})
    except subprocess.TimeoutExpired as late:
        raise Failure(f"`rookery {' '.join(arguments)}` took longer than {timeout * SCALE:g} s: "
                      f"{_text(late.stdout)}{_text(late.stderr)}") from None
    if ok and result.returncode != 0:
        raise Failure(f"`rookery {' '.join(arguments)}` ended with {result.returncode}: "
                      f"{_text(result.stderr).strip() or _text(result.stdout).strip()}")
    return result


def _text(output):
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def end_process(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdout, process.stderr, process.stdin):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()


def one_sentence(result, *words):
    """The command failed with one line that has the words in it (any case), and no stack trace."""
    text = _text(result.stderr).strip() or _text(result.stdout).strip()
    check(result.returncode not in (0, 99) and result.returncode > 0, f"ended with {result.returncode}: {text!r}")
    # A wrong command line may be followed by where its help is.
    lines = [l for l in text.splitlines() if l.strip() and not l.startswith("Try 'rookery help")]
    check(len(lines) == 1, f"expected one sentence, got {len(lines)}: {text!r}")
    for word in words:
        check(re.search(word, lines[0], re.I), f"expected /{word}/ in {lines[0]!r}")
    return lines[0]


class Capture:
    """`rookery capture WHERE -w - [FILTER]`, its packets kept as they come."""

    def __init__(self, lab, where, *filter_words):
        self.packets, self.linktype = [], None
        self.process = lab.spawn("capture", where, "-w", "-", *filter_words)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        wait_for(lambda: self.linktype is not None or self.process.poll() is not None, f"capture at {where} starts")
        if self.linktype is None:
            raise Failure(f"capture at {where}: {self.process.stderr.read().decode(errors='replace').strip()}")

    def _read(self):
        import struct
        stream = self.process.stdout
        try:
            head = stream.read(24)
            if len(head) < 24:
                return
            order = "<" if head[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
            self.linktype = struct.unpack(order + "I", head[20:24])[0] & 0xffff
            while True:
                record = stream.read(16)
                if len(record) < 16:
                    return
                length = struct.unpack(order + "IIII", record)[2]
                data = stream.read(length)
                self.packets.append(data[14:] if self.linktype == 1 else data)
        except ValueError:
            return  # closed under us

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Suite:
    """The tests of one script."""

    def __init__(self, script):
        self.name = Path(script).stem
        self.labs = []
        self.failed = 0
        self.reports = set()
        self.only = os.environ.get("ONLY")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by the runner"))
        if not Path(ROOKERY).exists():
            print(f"not ok {self.name}: {ROOKERY} is not built")
            sys.exit(1)

    def lab(self, lab):
        """Starts a lab that ends with the script (or with its `with` block)."""
        self.labs.append(lab)
        lab.start()
        return lab

    @contextlib.contextmanager
    def started(self, lab):
        self.lab(lab)
        yield lab
        self.end(lab)

    def end(self, lab):
        self.labs.remove(lab)
        lab.stop()

    @contextlib.contextmanager
    def test(self, name):
        name = f"{self.name}: {name}"
        began = time.monotonic()
        try:
            yield
            self.check_sanitizer()
            print(f"ok {name} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skip as why:
            print(f"skip {name}: {why}", flush=True)
        except (Exception, subprocess.TimeoutExpired) as error:
            self.failed += 1
            reason = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
            print(f"not ok {name}: {reason.strip()}".replace("\n", " | "))
            if not isinstance(error, Failure):
                tell(sys.stdout, "traceback", traceback.format_exc())
            for lab in self.labs:
                lab.dump()
            self.tell_reports()
            sys.stdout.flush()

    def measured(self, name, value, unit):
        """A figure to report, not to judge."""
        print(f"# {self.name}: {name} = {value} {unit}", flush=True)

    def new_reports(self):
        found = {p for p in glob.glob(str(sanitizer_directory() / "*")) if os.path.getsize(p)} - self.reports
        self.reports |= found
        return sorted(found)

    def check_sanitizer(self):
        for report in self.new_reports():
            text = Path(report).read_text(errors="replace")
            tell(sys.stdout, f"sanitizer report {Path(report).name}", text[:6000])
            first = re.search(r"(?m)^.*(ERROR|runtime error).*$", text)
            raise Failure("sanitizer: " + (first[0] if first else text[:200]))

    def tell_reports(self):
        for report in self.new_reports():
            tell(sys.stdout, f"sanitizer report {Path(report).name}", Path(report).read_text(errors="replace")[:6000])

    def finish(self):
        """Stops what runs, as a test of its own, and ends the script."""
        for lab in list(self.labs):
            with self.test(f"stop of {re.sub('[0-9]+-.*', '', lab.name)} leaves nothing"):
                self.end(lab)
        for lab in self.labs:
            abandon(lab)
        shutil.rmtree(work_directory(), ignore_errors=True)
        sys.exit(1 if self.failed else 0)


def abandon(lab):
    """The last resort for a lab that does not stop: ends its processes by id."""
    pids = lab.guest_processes()
    with contextlib.suppress(Exception):
        pids.add(lab.keeper_pid())
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(lab.run_directory, ignore_errors=True)


def main(script, body):
    """Runs body(suite) and ends the script: whatever happens, its labs go."""
    suite = Suite(script)
    try:
        body(suite)
    except Skip as why:
        print(f"skip {suite.name}: {why}")
    except Exception as error:
        suite.failed += 1
        print(f"not ok {suite.name}: {type(error).__name__}: {error}".replace("\n", " | "))
        if not isinstance(error, Failure):
            tell(sys.stdout, "traceback", traceback.format_exc())
        for lab in suite.labs:
            lab.dump()
    except SystemExit as ended:
        suite.failed += 1
        print(f"not ok {suite.name}: {ended}")
        for lab in suite.labs:
            lab.dump()
    suite.finish()
