"""What an edit does to a configuration, as a person can check it: whole, without credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from viam_mcp.tools._errors import ToolError
from viam_mcp.tools.previews.configs._changes import Change, Kind, changes
from viam_mcp.tools.previews.configs._credentials import relabelled, sides
from viam_mcp.tools.previews.configs._lines import change_lines, consequences_of, summary
from viam_mcp.tools.previews.configs._risks import with_risks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from viam_mcp.tools.previews._model import Consequence
    from viam_mcp.tools.redaction._configs import Stored

Json = Any

UNCHANGED_CONFIG = "Configuration: stays the same."


@dataclass(frozen=True)
class ConfigDiff:
    """How a configuration changes.

    Attributes:
        lines: All that changes.
        consequences: What is grave about it, the gravest first.
        changes: The changes themselves.
    """

    lines: Sequence[str]
    consequences: Sequence[Consequence] = ()
    changes: Sequence[Change] = field(default=(), repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not self.changes


UNTOUCHED = ConfigDiff(["Configuration: not touched."])


async def config_diff(stored: Stored, sent: Mapping[str, Json] | None, path: str) -> ConfigDiff:
    """Return how a configuration changes. A large one is compared in a thread.

    Args:
        stored: The configuration as it is.
        sent: What takes its place; None leaves it alone.
        path: The argument that it came in, for the error.

    Raises:
        ToolError: It says of something that it is not shown, and that is not what was shown there. Or it is nested
            too deeply.
    """
    if sent is None:
        return UNTOUCHED
    return await anyio.to_thread.run_sync(diff, stored, sent, path)


def diff(stored: Stored, sent: Mapping[str, Json], path: str) -> ConfigDiff:
    """Return how a configuration changes. See `config_diff`."""
    try:
        return compared(*sides(stored, sent, path))
    except RecursionError:
        raise ToolError(f"{path} is nested too deeply to be compared. Nothing was done.") from None


def compared(old: Mapping[str, Json], new: Mapping[str, Json]) -> ConfigDiff:
    """Return how one configuration differs from another, both without credentials."""
    found = with_risks(changes(old, new))
    if not found:
        return ConfigDiff([UNCHANGED_CONFIG])
    consequences = consequences_of(found, _most_of_it(old, found))
    lines = [f"Configuration: {summary(found)}.", *change_lines(relabelled(found))]
    return ConfigDiff(lines, consequences, found)


def _most_of_it(old: Mapping[str, Json], found: Iterable[Change]) -> str:
    """Return how much of a configuration goes, in items or in values, if that is most of it; empty otherwise."""
    found = [*found]
    items = sum(len(value) for value in old.values() if isinstance(value, list))
    removed = sum(change.kind is Kind.REMOVED and change.is_of_item for change in found)
    if removed * 2 > items > 0:
        return f"{removed:,} of {items:,} items"
    values, taken = _values(old), sum(map(_taken_away, found))
    return f"{taken:,} of {values:,} values" if taken * 2 > values else ""


def _taken_away(change: Change) -> int:
    """Return how many values go for which none takes their place."""
    if change.kind is Kind.EDITED:
        return max(_values(change.old) - _values(change.new), 0)
    return _values(change.old) if change.kind is Kind.REMOVED else 0


def _values(value: Json) -> int:
    """Return how many plain values a JSON value holds; an empty object or list counts as one."""
    if isinstance(value, dict | list):
        return sum(map(_values, value.values() if isinstance(value, dict) else value)) or 1
    return 1
