"""The outcomes of calls, as the audit names them."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of a call, or of a question about one."""

    ASKED = "asked"
    """A question about the call was asked."""
    CHANGED = "changed"
    """The target has changed since the question was asked, so another question was asked."""
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The call was begun, and whether it was done is not known."""
    DECLINED = "declined"
    NOT_TICKED = "not ticked"
    """The form was sent without a tick in the box for yes."""
    CANCELLED = "cancelled"
    """The question was dismissed."""
    TIMED_OUT = "timed out"
    LOST = "lost"
    """The client that was asked has gone."""
    EXPIRED = "expired"
    WRONG_ANSWER = "wrong answer"
    """The answer is not valid for this call and this caller, or was used before."""
    DENIED = "denied"
    OUT_OF_SCOPE = "out of scope"
    OVER_BUDGET = "over budget"
    DRY_RUN = "dry run"
    TAKEN = "taken"
    """A delivered credential was fetched from the store."""
    TOO_LARGE = "too large"
    """A person could not have been shown the whole preview, so nobody was asked."""
    BUSY = "busy"
    """There was no slot for the call when its answer came."""
