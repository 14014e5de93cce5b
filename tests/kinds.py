"""The kinds of holes that a confirmation could have, the tests that try each, and the table of how they fared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KINDS = {
    "a preview that is cut": (
        "tools/test_config_diff.py",
        "tools/previews/test_pages.py",
        "tools/previews/test_values.py",
        "tools/previews/test_machines.py",
        "tools/previews/test_archive.py",
    ),
    "redaction that disguises": ("tools/test_secrets.py",),
    "authority behind a container": ("tools/previews/test_access.py", "policy/test_scope.py::test_authority"),
    "code behind a reference": ("tools/previews/test_fragments.py",),
    "credentials that come out": ("tools/test_corpus.py", "tools/test_canary.py"),
    "what is shown but not bound": ("policy/test_bindings.py",),
    "rules met by spelling": ("policy/test_normal.py",),
    "a scope that leaks": ("policy/test_scope.py",),
    "what is read is not what is stored": (
        "policy/test_at_risk.py",
        "tools/test_by_path.py",
        "tools/test_configs.py",
        "tools/test_round_trips.py",
    ),
    "small ones": ("tools/test_files.py", "tools/test_text.py"),
}
"""Files of tests, or the beginnings of the names of tests in one; the longest that fits says what a test is about."""

_FOLDER = Path(__file__).parent
_BY_PLACE = {place: kind for kind, places in KINDS.items() for place in places}


def kind_of(path: Path, name: str) -> str | None:
    """Return which kind of hole a test tries; None for any other test."""
    file = path.relative_to(_FOLDER).as_posix()
    fitting = [place for place in _BY_PLACE if f"{file}::{name}".startswith(place)]
    return _BY_PLACE[max(fitting, key=len)] if fitting else None


def table(outcomes: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of the table: each kind, how many cases there were, and whether all of them held.

    Args:
        outcomes: The kind and the outcome of each test.
    """
    cases: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for kind, outcome in outcomes:
        cases[kind] += 1
        held[kind] += outcome == "passed"
    yield f"{'kind':<40}{'cases':>8}  held"
    for kind in KINDS:
        if cases[kind]:
            yield f"{kind:<40}{cases[kind]:>8,}  {'all' if held[kind] == cases[kind] else f'{held[kind]:,}'}"
