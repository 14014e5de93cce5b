"""What the audit says that became of a call: every word that it may use."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of a call, or of a question about one."""

    ASKED = "asked"
    """There is a question about it."""
    CHANGED = "changed"
    """What it would touch has changed since the question was asked, so there is another."""
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It was begun, and whether it was done nobody knows."""
    DECLINED = "declined"
    CANCELLED = "cancelled"
    """The question was dismissed."""
    TIMED_OUT = "timed out"
    LOST = "lost"
    """Whoever was asked has gone."""
    EXPIRED = "expired"
    WRONG_ANSWER = "wrong answer"
    """The answer is no good for this call and this caller, or was used before."""
    DENIED = "denied"
    OUT_OF_SCOPE = "out of scope"
    OVER_BUDGET = "over budget"
    DRY_RUN = "dry run"
    BUSY = "busy"
    """There was no room for the call when its answer came."""
