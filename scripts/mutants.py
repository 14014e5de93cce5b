"""Count how many small faults the tests notice: mutation testing, area by area, with mutmut.

Each area names the modules that faults are put into, one at a time, and the tests that should notice them. The
work happens in a copy below `build/mutants/`. A fault that no test notices is either a missing test, or one that
changes nothing that matters: `tests/mutants.toml` then says why, by function.

    python scripts/mutants.py                 all areas
    python scripts/mutants.py rules paging    these
    python scripts/mutants.py --sample 100    a hundred faults of each, drawn at random: a minute or two for each area
    python scripts/mutants.py --survivors paging    the faults, too, as differences
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
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "mutants"
NOTES = ROOT / "tests" / "mutants.toml"
GOAL = 0.9
"""The share of an area's faults that its tests have to notice."""

_UNNOTICED = {"survived", "no tests", "not checked", "suspicious"}


class Area(NamedTuple):
    """Modules that faults are put into, and the tests that should notice them.

    Attributes:
        modules: Patterns of paths below the repository.
        tests: Paths of tests.
    """

    modules: tuple[str, ...]
    tests: tuple[str, ...]


def main() -> int:
    """Run the areas that were named, or all of them; 1 if one misses the goal or has an unexplained survivor."""
    notes = tomllib.loads(NOTES.read_text())
    areas = {name: Area(tuple(area["modules"]), tuple(area["tests"])) for name, area in notes["areas"].items()}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(areas)}; all if none is named")
    parser.add_argument("--sample", type=int, metavar="N", help="put in only so many faults of each area")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn")
    parser.add_argument("--survivors", action="store_true", help="show each fault that no test notices")
    options = parser.parse_args()
    for name in options.areas:
        if name not in areas:
            parser.error(f"there is no area {name!r}; there are {', '.join(areas)}")
    failed = False
    for name in options.areas or areas:
        folder = _prepared(name, areas[name])
        _run(folder, options.sample, options.seed)
        failed |= not _report(name, folder, notes.get("explained", {}), show=options.survivors)
    return int(failed)


def _run(folder: Path, sample: int | None, seed: int) -> None:
    """Put the faults in, one at a time, and run the tests of each."""
    names: list[str] = []
    if sample is not None:
        # It makes all faults before it finds that there is none of this name.
        subprocess.run([_tool(), "run", "none"], cwd=folder, check=False, capture_output=True)
        known = [mutant for path in _results(folder) for mutant in _codes(path)]
        names = random.Random(seed).sample(known, min(sample, len(known)))  # noqa: S311 - nothing secret
    subprocess.run([_tool(), "run", *names], cwd=folder, check=True, stdout=subprocess.DEVNULL)


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
        "pytest_add_cli_args": ["-p", "no:randomly", "-p", "no:xdist", "-m", "not slow"],
    }
    lines = [f"{key} =\n" + "".join(f"    {value}\n" for value in values) for key, values in settings.items()]
    (folder / "setup.cfg").write_text("[mutmut]\n" + "".join(lines))
    return folder


def _report(name: str, folder: Path, explained: Mapping[str, str], *, show: bool) -> bool:
    """Print what came of an area; whether it is as it should be."""
    statuses = dict(_statuses(folder))
    survivors = [mutant for mutant, status in statuses.items() if status in _UNNOTICED]
    share = 1 - len(survivors) / max(1, len(statuses))
    unexplained = [one for one in survivors if not any(fnmatchcase(one, pattern) for pattern in explained)]
    print(f"{name}: {len(statuses)} faults, {share:.1%} noticed, {len(survivors)} not, {len(unexplained)} unexplained")
    for function, number in Counter(one.rpartition("__mutmut_")[0] for one in unexplained).most_common():
        print(f"    {number:3} in {function}")
    if show:
        for mutant in survivors:
            subprocess.run([_tool(), "show", mutant], cwd=folder, check=True)
    return share >= GOAL and not unexplained


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
