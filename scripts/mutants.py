"""Count how many small faults the tests notice: mutation testing, area by area, with mutmut.

Each area names the modules that faults are put into, one at a time, and the tests that should notice them. The
work happens in a copy below `build/mutants/`. A fault that no test notices is either a missing test, or one that
changes nothing that matters: `tests/mutants.toml` then says why, by function and by the line with the fault in it.

    python scripts/mutants.py                 all areas
    python scripts/mutants.py rules paging    these
    python scripts/mutants.py --sample 100    a hundred faults of each, drawn at random: a minute or two for each area
    python scripts/mutants.py --survivors paging    the unexplained faults, too, as differences
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mutmut.stats import status_by_exit_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "mutants"
NOTES = ROOT / "tests" / "mutants.toml"
GOAL = 0.9
"""The share of an area's faults that its tests have to notice."""

_UNNOTICED = {"survived", "no tests", "not checked", "suspicious"}
_OPTIONS = ("-p", "no:randomly", "-p", "no:xdist", "-m", "not slow")


class Area(NamedTuple):
    """Modules that faults are put into, and the tests that should notice them.

    Attributes:
        modules: Patterns of paths below the repository.
        tests: Paths of tests.
        without: Ids of tests that are left out, because they take too long to run for each fault.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()


class Explained(NamedTuple):
    """Why a fault may stay unnoticed.

    Attributes:
        function: A pattern for the dotted name of the function, as the report prints it.
        line: A part of the line with the fault in it; an empty one stands for every fault of the function.
        why: The reason.
    """

    function: str
    line: str
    why: str

    def covers(self, survivor: Survivor) -> bool:
        """Tell whether this is the reason for a survivor."""
        return fnmatchcase(survivor.function, self.function) and any(self.line in line for line in survivor.lines)


class Survivor(NamedTuple):
    """A fault that no test noticed.

    Attributes:
        name: Its name.
        difference: What it changes, as a unified difference.
    """

    name: str
    difference: str

    @property
    def function(self) -> str:
        """The dotted name of the function that it is in."""
        return self.name.rpartition("__mutmut_")[0]

    @property
    def lines(self) -> list[str]:
        """The lines that it puts in or changes; those that it takes out where it puts in none."""
        body = [line for line in self.difference.splitlines() if not line.startswith(("+++", "---", "#"))]
        return [line[1:] for line in body if line.startswith("+")] or [
            line[1:] for line in body if line.startswith("-")
        ]


class AreaError(Exception):
    """An area cannot be measured. The message says why."""


def main() -> int:
    """Run the areas that were named, or all of them; 1 if one misses the goal or has an unexplained survivor."""
    notes = tomllib.loads(NOTES.read_text())
    areas = {
        name: Area(tuple(area["modules"]), tuple(area["tests"]), tuple(area.get("without", ())))
        for name, area in notes["areas"].items()
    }
    explained = [Explained(one["function"], one.get("line", ""), one["why"]) for one in notes.get("explained", ())]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(areas)}; all if none is named")
    parser.add_argument("--sample", type=int, metavar="N", help="put in only so many faults of each area")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn")
    parser.add_argument("--survivors", action="store_true", help="show what is neither noticed nor explained")
    options = parser.parse_args()
    for name in options.areas:
        if name not in areas:
            parser.error(f"there is no area {name!r}; there are {', '.join(areas)}")
    failed = False
    for name in options.areas or areas:
        folder = _prepared(name, areas[name])
        try:
            _run(folder, options.sample, options.seed)
        except AreaError as error:
            print(f"{name}: {error}", file=sys.stderr)
            failed = True
            continue
        failed |= not _report(name, folder, explained, show=options.survivors)
    return int(failed)


def _run(folder: Path, sample: int | None, seed: int) -> None:
    """Put the faults in, one at a time, and run the tests of each."""
    names: list[str] = []
    if sample is not None:
        # Mutmut makes all faults, and runs the tests once, before it finds that there is no fault of this name.
        made = _mutmut(folder, "none")
        known = [mutant for path in _results(folder) for mutant in _codes(path)]
        if not known or not (folder / "mutants" / "mutmut-stats.json").is_file():
            raise AreaError(_cause(made))
        names = random.Random(seed).sample(known, min(sample, len(known)))  # noqa: S311 - nothing secret
    ran = _mutmut(folder, *names)
    if ran.returncode:
        raise AreaError(_cause(ran))


def _mutmut(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """Run mutmut on the faults that are named, or on all of them."""
    return subprocess.run([_tool(), "run", *names], cwd=folder, check=False, capture_output=True, text=True)


def _cause(ran: subprocess.CompletedProcess[str]) -> str:
    """Return why an area could not be measured, with the lines that tell most."""
    lines = (ran.stdout + ran.stderr).replace("\r", "\n").splitlines()
    tests = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    if tests:
        return "these tests fail without any fault; mend or leave them out first:\n    " + "\n    ".join(tests)
    tail = [line[:300] for line in lines if line.strip()][-15:]
    return f"mutmut ended with {ran.returncode}, and not all faults were put in:\n    " + "\n    ".join(tail)


def _prepared(name: str, area: Area) -> Path:
    """A copy of the repository, set up for one area."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)
    settings = {
        "source_paths": ["viam_mcp"],
        "only_mutate": area.modules,
        "also_copy": sorted({path.partition("/")[0] for path in files} - {"viam_mcp"}),
        "pytest_add_cli_args_test_selection": area.tests,
        "pytest_add_cli_args": [*_OPTIONS, *(f"--deselect={one}" for one in area.without)],
    }
    lines = [f"{key} =\n" + "".join(f"    {value}\n" for value in values) for key, values in settings.items()]
    (folder / "setup.cfg").write_text("[mutmut]\ntrack_dependencies = false\n" + "".join(lines))
    return folder


def _report(name: str, folder: Path, explained: Sequence[Explained], *, show: bool) -> bool:
    """Print what came of an area; whether it is as it should be."""
    statuses = dict(_statuses(folder))
    survivors = [Survivor(one, _difference(folder, one)) for one, status in statuses.items() if status in _UNNOTICED]
    share = 1 - len(survivors) / max(1, len(statuses))
    unexplained = [one for one in survivors if not any(reason.covers(one) for reason in explained)]
    print(f"{name}: {len(statuses)} faults, {share:.1%} noticed, {len(survivors)} not, {len(unexplained)} unexplained")
    for function, number in Counter(one.function for one in unexplained).most_common():
        print(f"    {number:3} in {function}")
    if show:
        for survivor in unexplained:
            print(survivor.difference)
    return share >= GOAL and not unexplained


def _difference(folder: Path, fault: str) -> str:
    shown = subprocess.run([_tool(), "show", fault], cwd=folder, check=True, capture_output=True, text=True)
    return shown.stdout


def _statuses(folder: Path) -> Iterator[tuple[str, str]]:
    for path in _results(folder):
        for mutant, code in _codes(path).items():
            if code is not None:
                yield mutant, status_by_exit_code[code]


def _results(folder: Path) -> list[Path]:
    return sorted((folder / "mutants").rglob("*.meta"))


def _codes(path: Path) -> dict[str, int | None]:
    """Return how the tests of each fault of a module ended; None for one that was not put in."""
    codes: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
    return codes


def _tool() -> str:
    return str(Path(sys.executable).with_name("mutmut"))


if __name__ == "__main__":
    sys.exit(main())
