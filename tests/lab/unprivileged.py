#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Labs as an ordinary user, in namespaces of their own: the two-layer colony, and translation with real programs.

With names as arguments: these scripts instead.

  client ── office ── vmlinux4 ── iucv ── vmlinux9 ┬─ tux0mstr
        (user, mount, PID, network namespace)      └─ tux00000
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import lab
from lab import BIN, HERE, ROOT

SCRIPTS = ("two_layer", "nat_proxy", "nat_icmp", "nat_dns")
USER = 54321  # nobody's: it has no entry in /etc/passwd, no /etc/subuid, no group


def user_namespaces():
    try:
        return int(Path("/proc/sys/user/max_user_namespaces").read_text()) > 0
    except OSError:
        return False


def readable_copy(target):
    """What the test needs, where any user can read it."""
    for name in ("rookery", "rookeryd", "rookery-keeper"):
        (target / "build").mkdir(exist_ok=True)
        shutil.copy2(BIN / name, target / "build" / name)
    shutil.copytree(HERE, target / "tests" / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    for place in ("configs", "tests/topologies", "tests/rules"):
        shutil.copytree(ROOT / place, target / place)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def as_user(name, place, home):
    """Runs a script that stands in `place`. => its status; its results are told under our name"""
    environment = dict(os.environ, HOME=str(home), XDG_RUNTIME_DIR=str(home / "run"), TMPDIR=str(home),
                       ROOKERY_BIN=str(place / "build"), ROOKERY_TIMESCALE=str(lab.SCALE))
    environment.pop("ROOKERY_TEST_LABS", None)
    command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all",
               str(place / "tests" / "lab" / f"{name}.py")]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    ours = "unprivileged:" if name == "two_layer" else f"unprivileged: {name}:"
    print(re.sub(rf"(?m)^(ok|skip|not ok) {name}:", rf"\1 {ours}", result.stdout), end="", flush=True)
    return result.returncode


def main(scripts):
    if not user_namespaces():
        print("skip unprivileged: this kernel gives no user namespaces to ordinary users")
        return 0
    if os.geteuid() != 0:
        environment = dict(os.environ, ROOKERY_AS="ordinary user")
        return max(subprocess.run([str(HERE / f"{name}.py")], env=environment, check=False).returncode for name in scripts)
    with tempfile.TemporaryDirectory(prefix="rookery-user-") as directory:
        place = Path(directory)
        readable_copy(place)
        home = place / "home"
        home.mkdir()
        (home / "run").mkdir(mode=0o700)
        for path in (home, home / "run"):
            os.chown(path, USER, USER)
        status = max(as_user(name, place, home) for name in scripts)
        left = list((home / "run").glob("rookery/*")) + [p for p in (home / "run").iterdir() if p.name != "rookery"]
        print(f"not ok unprivileged: files left in the run directory: {left}" if left else
              "ok unprivileged: the user's run directory is empty afterwards")
        return status or bool(left)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:] or SCRIPTS))
