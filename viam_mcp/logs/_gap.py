"""What is missing in a log, and how several such pieces are told as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

Reason = Literal["fell_behind", "not_filled", "not_checked", "uncertain"]


@dataclass(frozen=True)
class Gap:
    """Entries that are missing, or may be.

    Attributes:
        reason: `fell_behind`: the reader was slower than what is held is long. `not_filled`: the connection was lost
            for so long that not everything was fetched. `not_checked`: entries that came during a break, and so late
            that the log is not read again from so far back. `uncertain`: another process goes on with a cursor, and
            cannot tell which entries of this time were given before.
        until: Nothing is missing from this time on; None where that is not known.
        since: Nothing is missing before this time; None where that is not known.
        count: How many are missing, where that is known.
    """

    reason: Reason
    until: datetime | None
    since: datetime | None = None
    count: int | None = None


def together(gaps: Sequence[Gap]) -> Gap | None:
    """Return several gaps as one that spans them; None for none."""
    if len(gaps) < 2:
        return gaps[0] if gaps else None
    sinces, untils = [gap.since for gap in gaps], [gap.until for gap in gaps]
    counts = [gap.count for gap in gaps]
    return Gap(
        gaps[0].reason,
        None if None in untils else max(until for until in untils if until),
        None if None in sinces else min(since for since in sinces if since),
        None if None in counts else sum(count for count in counts if count),
    )
