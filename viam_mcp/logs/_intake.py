"""Takes in what the stream of a part brings and what its log holds, each entry once.

The stream alone cannot promise that nothing is lost: it breaks, it may say again what it has said, and nothing
tells when it has begun to listen. So the log is read again, from somewhat before the *front* at the last moment at
which nothing was missing: as far as entries have come late, as far as a page holds entries, and at most as far as
the look-back goes. What is found there and has not come is new. What may lie before that is told as a gap.

Two equal entries are one that was delivered twice, unless a single message of the stream or a single page of the log
holds both of them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from viam_mcp.logs._entries import EARLIEST, LATEST, SECOND, fingerprint, missing, moment, nanoseconds, take
from viam_mcp.logs._gap import Gap, Reason, together
from viam_mcp.logs._lateness import Lateness
from viam_mcp.logs._log import DAY, LARGEST_PAGE
from viam_mcp.logs._ring import Ring

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from viam_mcp.logs._log import Log
    from viam_mcp.logs._options import Options
    from viam_mcp.proto.common import LogEntry

QUIET, USUAL, DEEP = 100, LARGEST_PAGE // 2, 10 * LARGEST_PAGE
"""How many of the newest entries a reading of the log goes back to, where it need not go further."""

_MOST_PAGES = 10  # read at the beginning, where entries are ahead of the present
_MOST_GAPS = 32
_PACE = 5 * SECOND
_BUSY = 10_000  # entries within `_PACE`
_DISORDER = SECOND // 2
_LONG_AFTER = 2_000  # entries


class Intake:
    """What one tail has received.

    Attributes:
        ring: The entries.
        lateness: How late they come.
        begun: Whether the end of the log has been read, after which nothing is missed.
        first: The number of the first entry that was there when it began.
    """

    def __init__(self, log: Log, options: Options, tell: Callable[[], None]) -> None:
        """Take in what comes from now on.

        Args:
            log: The part's log.
            options: How tails behave.
            tell: Called when something came.
        """
        self.ring = Ring(options.ring_entries, options.ring_bytes, memory=options.memory)
        self.lateness = Lateness(options.lookback_ns)
        self.begun = False
        self.first = 1
        self._log = log
        self._options = options
        self._tell = tell
        self._started = options.now()
        self._front = self._started  # at the last moment at which nothing was missing
        self._broken = False  # whether something may be missing
        self._last_before = 0  # the number of the last entry before it broke
        self._unsettled: int | None = None  # the front at the first break since the log was read for late entries
        self._looked_deep = False  # whether it was read for them since the last break
        self._checked: tuple[int, int] | None = None  # the front at a break, and from where on the log was read again
        self._left_out: list[tuple[int, int]] = []
        self._gaps: list[tuple[int, Gap]] = []
        self._gaps_before = 0
        # What the stream may say again, although it has come: by fingerprint, and up to which number. A stream says
        # things in the order in which they were stored, so that what comes long after something new is new.
        self._repeatable: Counter[int] = Counter()
        self._repeatable_upto = 0
        self._pace = (self._started, 0)

    async def begin(self) -> None:
        """Read the end of the log.

        Entries of a time between the start and now came after the start. Those before it, and those from a clock
        that is ahead, were there.
        """
        entries, token, pages = [], "", 0
        while pages < _MOST_PAGES:
            now = self._options.now()
            page, token = await self._log.newest(now, LARGEST_PAGE, token=token)
            entries += page
            pages += 1
            if not token or sum(time <= now for time in nanoseconds(entries)) >= self._options.backlog:
                break
        entries.reverse()
        times = nanoseconds(entries)
        during = [at for at, time in enumerate(times) if self._started <= time <= now]
        there = [entry for at, entry in enumerate(entries) if at not in set(during)] if during else entries
        self.ring.begin(there, 0)
        self.first = 1 - len(there)
        if during:
            came = [entries[at] for at in during]
            self.ring.extend(came, nanoseconds(came))
        self.ring.faded.lose(times[0] if token and entries else now - DAY)
        self.lateness.stored(times, now)
        self._front = self.lateness.front(now)
        self.begun = True
        self._tell()

    def take(self, entries: Sequence[LogEntry], size: int | None = None) -> None:
        """Take in a message of the stream, which has shown that it listens.

        Args:
            entries: Its entries.
            size: How many bytes they take on the wire, where that is known.
        """
        now = self._options.now()
        if self._repeatable:
            if self.ring.last > self._repeatable_upto:
                self._repeatable.clear()
            else:
                entries, size = [entry for entry in entries if not take(self._repeatable, fingerprint(entry))], None
        if not entries:
            return
        times = nanoseconds(entries)
        self.lateness.came(times, now)
        self._add(entries, times, size)
        self._front = self.ring.front = self.lateness.front(now)
        self._check_again()
        if now - self._pace[0] > _PACE:
            self._pace = (now, self.ring.last)
        busy = self.ring.last - self._pace[1] > _BUSY
        self.ring.keep_all = not busy or self.lateness.depth > _DISORDER

    def take_last(self, entries: Sequence[LogEntry]) -> None:
        """Take in what the stream brought, where the log can no longer be read."""
        known = self.ring.repeatable(EARLIEST, self.ring.last)
        new = [entry for entry in entries if not take(known, fingerprint(entry))]
        self._add(new, nanoseconds(new))

    def broke(self) -> None:
        """Take note that the stream has ended: from now on something may be missing."""
        self._repeatable.clear()
        if self.begun:
            self._broken = True
            self._last_before = self.ring.last
            self._looked_deep = False
            self._unsettled = self._front if self._unsettled is None else min(self._unsettled, self._front)

    def gave_up(self) -> None:
        """Take note that neither the stream nor the log can be read any more."""
        if self._broken:
            self._note("not_filled", self._front, None)
            self._broken = False

    async def look(self, rank: int) -> int:
        """Add what the log holds and did not come; return how many entries that were."""
        front, now = self._front, self._options.now()
        start = self._start(front, rank)
        found = await self._read(start, front)
        if found and not self._broken:
            # The stream has been deaf since then, and not only since now.
            self._front = front
            return found
        self._front = max(self._front, self.lateness.front(now))
        if self._broken:
            self._broken = False
            if self.lateness.worst is not None and front - self.lateness.worst < start:
                self._note("not_checked", front - self.lateness.worst, start)
        return found

    async def settle(self) -> None:
        """Read the log once more, from before the last breaks, for what was stored late."""
        front = await self.look_deep()
        if front is None:
            return
        self._unsettled = None
        start = self._start(front, DEEP)
        before = self._checked or (front, start)
        self._checked = (min(before[0], front), max(before[1], start))
        self._check_again()

    async def look_deep(self) -> int | None:
        """Add what was stored late before the last breaks; return the front at the first of them, None for none."""
        front = self._unsettled
        if front is not None:
            await self._read(self._start(front, DEEP), front)
            self._looked_deep = True
        return front

    async def look_from(self, start: int) -> None:
        """Add what the log holds and did not come, from a time on and from as far back as after a break."""
        await self._read(min(start, self._start(self._front, DEEP)))

    def merge(self, entries: Sequence[LogEntry], start: int, front: int | None = None) -> int:
        """Add those of one page of the log that did not come; return how many.

        Args:
            entries: The page, by time.
            start: Only those of this time or later are looked at, and only as far as it is known what came.
            front: Up to where the log had come when the first of them may have been stored, to learn how late they are.
        """
        times = nanoseconds(entries)
        start = max(start, self.ring.faded.since)
        inside = [at for at, time in enumerate(times) if time >= start and not self._was_left_out(time)]
        if not inside:
            return 0
        page = [entries[at] for at in inside]
        known = Counter(key for _, key in self.ring.known(min(times[at] for at in inside)))
        found = [inside[at] for at in missing(known, page)]
        if found:
            new, when = [entries[at] for at in found], [times[at] for at in found]
            now = self._options.now()
            self._repeatable.update(map(fingerprint, new))
            if front is not None:
                self.lateness.found(when, front)
            self.lateness.stored(when, now)
            self._add(new, when)
            self._repeatable_upto = self.ring.last + _LONG_AFTER
        return len(found)

    def expect_repetitions(self) -> None:
        """Take note that a stream begins, which may say again what has come."""
        self._repeatable = self.ring.repeatable(self._start(self._front, USUAL), self._last_before)
        self._repeatable_upto = self.ring.last + _LONG_AFTER

    def gaps(self, told: int, upto: int) -> list[tuple[int, Gap]]:
        """Return the gaps after the first `told`, each after the entry of which number, up to a number."""
        return [(number, gap) for number, gap in self._gaps[max(told - self._gaps_before, 0) :] if number <= upto]

    def told_after(self, told: int, upto: int) -> int:
        """Return how many gaps a reader was told of who knew of `told`, and has read on up to a number."""
        told = max(told, self._gaps_before)
        return told + len(self.gaps(told, upto))

    def is_whole(self, start: int) -> bool:
        """Return whether nothing is missing from a time on."""
        return all(gap.until is not None and gap.until <= moment(start) for _, gap in self._gaps)

    @property
    def has_looked_deep(self) -> bool:
        """Whether the log was read for what was stored late before the last breaks."""
        return self._unsettled is None or self._looked_deep

    @property
    def unsettled_since(self) -> int:
        """From where on something may be found that was stored before the last breaks."""
        return LATEST if self.has_looked_deep or self._unsettled is None else self._start(self._unsettled, USUAL)

    @property
    def told(self) -> int:
        """How many gaps there are."""
        return self._gaps_before + len(self._gaps)

    def _start(self, front: int, rank: int) -> int:
        """Return from where on the log is read for what was stored after the log had come up to `front`."""
        late = min(max(self.lateness.reach, self._options.lateness_ns), self._options.lookback_ns)
        time = self.ring.time_before(front, rank)
        return max(self.ring.faded.since, min(front - late, EARLIEST if time is None else time))

    async def _read(self, start: int, front: int | None = None) -> int:
        found = 0
        async for page, more in self._log.since(start):
            found += self.merge(page, start, front)
            if more and found >= self._options.most_filled:
                await self._leave_out(max(nanoseconds(page), default=start))
                break
        return found

    async def _leave_out(self, since: int) -> None:
        """Go on from the newest entries, and say that those before them are missing."""
        now = self._options.now()
        page, _ = await self._log.newest(now, self._options.backlog)
        newest = [entry for entry in reversed(page) if nanoseconds([entry])[0] > since]
        until = nanoseconds(newest[:1])[0] if newest else now
        self._note("not_filled", since, until)
        self._left_out = [*self._left_out[1 - _MOST_GAPS :], (since, until)]
        self.merge(newest, until)

    def _was_left_out(self, time: int) -> bool:
        return any(since < time < until for since, until in self._left_out)

    def _check_again(self) -> None:
        """Tell a gap where entries turn out to come later than the log was read again for."""
        if self._checked is not None and self.lateness.worst is not None:
            front, start = self._checked
            if front - self.lateness.worst < start:
                self._note("not_checked", front - self.lateness.worst, start)
                self._checked = None

    def _note(self, reason: Reason, since: int, until: int | None) -> None:
        gap = Gap(reason, None if until is None else moment(until), moment(since))
        self._gaps.append((self.ring.last, gap))
        if len(self._gaps) > _MOST_GAPS:
            (_, first), (number, second) = self._gaps[:2]
            both = together([first, second])
            assert both is not None  # noqa: S101 - two gaps are together one
            self._gaps[:2] = [(number, both)]
            self._gaps_before += 1
        self._tell()

    def _add(self, entries: Sequence[LogEntry], times: Sequence[int], size: int | None = None) -> None:
        if entries:
            self.ring.extend(entries, times, size=size)
            self._tell()
