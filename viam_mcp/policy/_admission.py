"""A call on its way through the gate: who calls, and what was decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from viam_mcp.tools import Effect

if TYPE_CHECKING:
    from viam_mcp.policy.record._outcomes import Outcome
    from viam_mcp.policy.rules._rules import Decision
    from viam_mcp.tools import Tool

Opens = Callable[[str, Effect], bool]
"""Whether a credential opens a tool for a call of that effect: as it is now, not as it was when a request came."""


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        id: Who it is, as far as that is authenticated; "local" for this computer's own user.
        client: The program, as it names itself.
        key: The id of the key that its calls are made with, where callers bring their own.
        opens: What its credential opens; None where callers need none.
    """

    id: str = "local"
    client: str = ""
    key: str = ""
    opens: Opens | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Who it is, with the key: what is given to one name is good for no other."""
        return f"{self.id} with key {self.key}" if self.key else self.id

    @property
    def account(self) -> str:
        """Whose share of turns and of room its calls take: whoever is authenticated, or else whoever has the key."""
        return self.name if self.opens is None else self.id


LOCAL = Caller()
"""The user of this computer, whose client did not say what it is."""


@dataclass(frozen=True)
class Admission:
    """A call that may run, or that is being decided about.

    Attributes:
        tool: The call, with what the gate has added to its arguments.
        caller: Who calls.
        decision: What the policy says of it.
        plain: Whether it neither changes anything nor gives a credential.
        fingerprint: The digest of what was shown before it was confirmed, if it was.
        question: What names the question that was asked, if there was one.
        file: The SHA-256 of the file that was shown, where the call sends one: it sends that one or none.
    """

    tool: Tool
    caller: Caller
    decision: Decision
    plain: bool
    fingerprint: str | None = None
    question: str | None = None
    file: str | None = None


class Stopped(Exception):  # noqa: N818 - it is an answer, not a fault
    """The call does not run.

    Attributes:
        outcome: How the audit names it.
        admission: What was known of the call by then; None if nothing new.
    """

    def __init__(self, outcome: Outcome, text: str, admission: Admission | None = None) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.admission = admission
