#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The two-layer lab as an ordinary user, in namespaces of its own.

  client ── office ── vmlinux4 ── iucv ── vmlinux9 ┬─ tux0mstr
        (user, mount, PID, network namespace)      └─ tux00000
"""
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import lab
from lab import BIN, HERE, ROOT

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
    shutil.copytree(ROOT / "configs", target / "configs")
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def main():
    if not user_namespaces():
        print("skip unprivileged: this kernel gives no user namespaces to ordinary users")
        return 0
    if os.geteuid() != 0:
        environment = dict(os.environ, ROOKERY_AS="ordinary user")
        return subprocess.run([str(HERE / "two_layer.py")], env=environment, check=False).returncode
    with tempfile.TemporaryDirectory(prefix="rookery-user-") as directory:
        place = Path(directory)
        readable_copy(place)
        home = place / "home"
        home.mkdir()
        (home / "run").mkdir(mode=0o700)
        for path in (home, home / "run"):
            os.chown(path, USER, USER)
        environment = dict(os.environ, HOME=str(home), XDG_RUNTIME_DIR=str(home / "run"), TMPDIR=str(home),
                           ROOKERY_BIN=str(place / "build"), ROOKERY_TIMESCALE=str(lab.SCALE))
        environment.pop("ROOKERY_TEST_LABS", None)
        command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--inh-caps=-all",
                   str(place / "tests" / "lab" / "two_layer.py")]
        result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        print(result.stdout.replace("ok two_layer:", "ok unprivileged:").replace("skip two_layer:", "skip unprivileged:"), end="")
        left = list((home / "run").glob("rookery/*")) + [p for p in (home / "run").iterdir() if p.name != "rookery"]
        print(f"not ok unprivileged: files left in the run directory: {left}" if left else
              "ok unprivileged: the user's run directory is empty afterwards")
        return result.returncode or bool(left)


if __name__ == "__main__":
    raise SystemExit(main())
