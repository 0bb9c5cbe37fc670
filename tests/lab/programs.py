# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs in a lab: a web server with its log, curl, and the rules of a router as a user types them."""
import shutil
import sys

import lab
from lab import Skip, check, wait_for


def need(*names):
    """Skips the test where a program is not installed (scripts/install-deps installs all of them)."""
    missing = [name for name in names if not shutil.which(name) and not shutil.which(name, path="/usr/sbin:/sbin")]
    if missing:
        raise Skip(f"not installed: {', '.join(missing)}")


class Program:
    """A program that runs on in a node; what it says goes to a file."""

    def __init__(self, net, node, *argv):
        self.file = lab.work_directory() / f"{net.name}-{node}-{len(net.spawned)}.out"
        with open(self.file, "w") as out:
            self.process = net.spawn("exec", node, "--", *argv, stdout=out, stderr=out)

    def said(self):
        return self.file.read_text(errors="replace")

    def check_runs(self):
        check(self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said()[-300:]}")
        return True


class WebServer(Program):
    """Python's http.server on some files; its log has a line a request, with who asked."""

    def __init__(self, net, node, port, directory):
        super().__init__(net, node, sys.executable, "-u", "-m", "http.server", str(port), "--directory", str(directory))
        wait_for(lambda: self.check_runs() and "Serving HTTP" in self.said(), f"a web server in {node}")

    def askers(self, path="/"):
        """Who asked for a path, a request each."""
        return [line.split()[0] for line in self.said().splitlines() if f'"GET {path} HTTP' in line]


def curl(net, node, *arguments, seconds=5):
    """=> (curl's status, what it wrote)"""
    return net.agent(node).run("curl", "-sS", "--noproxy", "*", "-m", str(int(seconds * lab.SCALE)), *arguments, timeout=seconds + 5)


def page(net, node, url, *arguments):
    """The page, which must load."""
    status, text = curl(net, node, *arguments, url)
    check(status == 0, f"curl {url} in {node} ended with {status}: {text.strip()}")
    return text.strip()


def shell(net, router, script, ok=True):
    """Runs a script in a router's shell, as a user would type it."""
    return net.exec(router, "/bin/sh", "-c", script, ok=ok, timeout=60)


def fresh(net, router, rules):
    """Other rules of nat, and no connections from before."""
    shell(net, router, f"iptables -t nat -F && conntrack -F >/dev/null 2>&1; {rules}")
