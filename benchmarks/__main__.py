"""`python -m benchmarks`: the table of ratios."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from benchmarks import logs, measures, remote, store
from benchmarks.fleet import running_fleet

if TYPE_CHECKING:
    from benchmarks.harness import Ratio

MEASURES = {
    "start": (measures.start, 15),
    "calls": (measures.calls, 20),
    "remote": (remote.remote, 8),
    "encoding": (measures.encoding, 15),
    "logs": (logs.logs, 1),
    "store": (store.store, 10),
}


def _row(line: Ratio) -> str:
    goal = "-" if line.goal is None else f"{line.goal:.2f}"
    mark = "*" if line.goal is not None and line.value > line.goal else " "
    return f"{line.value:6.2f}{mark} {goal:>5}  {line.ours * 1e3:7.2f} ms  {line.theirs * 1e3:7.2f} ms  {line.what}"


def main() -> None:
    """Measure, and print a line as soon as it is known; with --json everything at the end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios, measured in turns in one run.")
    parser.add_argument("--json", action="store_true", help="print the lines as JSON")
    parser.add_argument("--only", choices=MEASURES, action="append", help="measure this; default all")
    parser.add_argument("--runs", type=int, metavar="N", help="how many turns; default depends on what is measured")
    options = parser.parse_args()
    lines = []
    if not options.json:
        print(f"{'ratio':>6}  {'goal':>5}  {'ours':>10}  {'other':>10}  what")
    with running_fleet() as fleet:
        for name in options.only or MEASURES:
            measure, runs = MEASURES[name]
            for line in measure(fleet, options.runs or runs):
                lines.append(line.as_json())
                if not options.json:
                    print(_row(line), flush=True)
    if options.json:
        print(json.dumps(lines, indent=2))
    elif any(line["met"] is False for line in lines):
        print("* above its goal")


if __name__ == "__main__":
    main()
