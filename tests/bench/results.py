# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of build/bench.json, and how they are shown: name, value, unit, peer, ratio, repeats, min, median, goal.

`reached` says whether the value is within its goal; a goal is an upper bound unless the row says "goal_is": "at least".
"""
import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "bench.json"


def row(name, value, unit, peer=None, goal=None, at_least=False, **more):
    line = {"name": name, "value": value, "unit": unit, "peer": peer, "ratio": round(value / peer, 3) if peer else None, "repeats": 1,
            "min": value, "median": value, "goal": goal, **more}
    if at_least:
        line["goal_is"] = "at least"
    if goal is not None:
        line["reached"] = value >= goal if at_least else value <= goal
    return line


def merge(output, rows, *prefixes):
    """Rows take the place of those in the file whose names begin so."""
    output = Path(output)
    before = json.loads(output.read_text()) if output.exists() else []
    kept = [line for line in before if not line["name"].startswith(prefixes)]
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(kept + rows, indent=1) + "\n")


def verdict(line):
    if line.get("goal") is None:
        return ""
    bound = ">=" if line.get("goal_is") else "<="
    return f"goal {bound} {line['goal']:g}: {'reached' if line['reached'] else 'NOT reached'}"


def show(rows):
    for line in rows:
        peer = f"peer {line['peer']:g} ratio {line['ratio']:.2f}" if line.get("peer") else ""
        print(f"{line['name']:66} {line['value']:>10g} {line['unit']:22} min {line.get('min', line['value']):<8g} {peer:28} {verdict(line)}".rstrip())
    print(f"machine's load meanwhile: {' '.join(f'{load:.1f}' for load in os.getloadavg())}", flush=True)
