"""How late the entries of a part come, learnt from those that came.

A machine's clock says where an entry belongs in the log; it may be wrong by hours, and entries need not come in
its order. The *front* is the time up to which the log has come: the newest entry's, but never later than the
present, so that one entry from an hour ahead does not make all others late. How far behind the front an entry is
when it comes is its lateness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEW = 1_000
_RARELY = 50  # one in so many entries is late at most where a part's entries are in order, apart from a few


class Lateness:
    """What one part's entries have been like.

    Attributes:
        worst: How late an entry has come at most, in nanoseconds; negative where all of them were ahead of the
            present. None where nothing came.
    """

    def __init__(self, span: int) -> None:
        """Learn from now on; what is newest counts for `span` nanoseconds at least, and until more comes."""
        self.worst: int | None = None
        self._span = span
        self._newest: int | None = None
        self._newest_before: int | None = None
        self._turned = 0
        self._number = 0
        self._late = 0

    @property
    def depth(self) -> int:
        """How late an entry has come at most, in nanoseconds; 0 where none was late."""
        return max(self.worst or 0, 0)

    @property
    def reach(self) -> int:
        """How late an entry may come next, in nanoseconds: somewhat more than one has come."""
        return self.depth * 3 // 2

    @property
    def orderly(self) -> bool:
        """Whether many entries came, and none of them late."""
        return self._number >= _FEW and not self._late

    @property
    def often(self) -> bool:
        """Whether entries are late so often that some are under way at any moment."""
        return self._late * _RARELY > self._number

    def front(self, now: int) -> int:
        """Return up to which time the log has come."""
        newest = self._reference()
        return now if newest is None else min(now, newest)

    def stored(self, times: Sequence[int], now: int) -> None:
        """Take note of entries of which only the time is known, and not when they came."""
        if not times:
            return
        if now - self._turned > self._span:
            # A clock that was ahead and is right again: what is newest must not stay what it was for ever.
            self._newest, self._newest_before, self._turned = None, self._newest, now
        newest = max(times)
        self._newest = newest if self._newest is None else max(self._newest, newest)

    def came(self, times: Sequence[int], now: int) -> None:
        """Learn from entries that come now, in this order."""
        if not times:
            return
        newest = self._reference()
        if newest is None:
            newest = times[0]
        first = times[0]
        if first >= newest and (len(times) == 1 or list(times) == sorted(times)):
            worst = min(now, first) - first
        else:
            worst = min(now, newest) - first
            for time in times:
                if time < newest:
                    self._late += 1
                else:
                    newest = time
                worst = max(worst, min(now, newest) - time)
        self._number += len(times)
        self._learn(worst)
        self.stored(times, now)

    def found(self, times: Sequence[int], front: int) -> None:
        """Learn from entries that were found in the log, and came when the log had come up to `front`, or later."""
        late = [time for time in times if time < front]
        self._number += len(times)
        self._late += len(late)
        if late:
            self._learn(front - min(late))

    def _learn(self, lateness: int) -> None:
        self.worst = lateness if self.worst is None else max(self.worst, lateness)

    def _reference(self) -> int | None:
        if self._newest is None or self._newest_before is None:
            return self._newest_before if self._newest is None else self._newest
        return max(self._newest, self._newest_before)
