"""The values that a call consists of on its way through the gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from viam_mcp.policy.rules._rules import Secrets
from viam_mcp.tools import Effect, Environment

if TYPE_CHECKING:
    from viam_mcp.policy._outcomes import Outcome
    from viam_mcp.policy.rules._rules import Decision
    from viam_mcp.tools import Tool

Opens = Callable[[str, Effect], bool]
"""Whether a credential opens a tool for a call of that effect, as it is at the moment of asking."""


@dataclass(frozen=True)
class Caller:
    """Who sends a call.

    Attributes:
        id: The authenticated identity; "local" for the user of this computer.
        client: The program, as it names itself.
        key: The id of the API key that the call is made with, where callers bring their own.
        opens: What the caller's credential opens; None where callers need no credential.
    """

    id: str = "local"
    client: str = ""
    key: str = ""
    opens: Opens | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The identity together with the key: a confirmation given to one name is good for no other."""
        return f"{self.id} with key {self.key}" if self.key else self.id

    @property
    def account(self) -> str:
        """The name that limits are counted under: the authenticated identity, or else the holder of the key."""
        return self.name if self.opens is None else self.id


LOCAL = Caller()
"""The user of this computer, whose client did not name itself."""


@dataclass(frozen=True)
class Call:
    """One call of a tool, with valid arguments.

    Attributes:
        tool: The tool with its arguments.
        caller: Who sends it.
        environment: What the tool may use besides the fleet.
    """

    tool: Tool
    caller: Caller = LOCAL
    environment: Environment = field(default_factory=Environment)

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.tool.spec.name


@dataclass(frozen=True)
class DecidedCall:
    """A call and what was decided about it: what the audit says of the call, apart from its outcome.

    Attributes:
        tool: The tool with its arguments, to which the gate may have added.
        caller: Who sent the call.
        decision: The policy's decision.
        operation: The id of the operation that the call carries out, once that was approved; None if nobody was asked.
        fingerprint: The digest of what the question showed.
        file: The SHA-256 of the file that the question showed, where the call sends one.
    """

    tool: Tool
    caller: Caller
    decision: Decision
    operation: str | None = None
    fingerprint: str | None = None
    file: str | None = None

    @property
    def is_plain_read(self) -> bool:
        """Whether the call changes nothing and gives no credential. Such calls are not in the audit."""
        return self.tool.effect is Effect.READ and self.decision.secrets is Secrets.REDACT


class Stopped(Exception):  # noqa: N818 - it is an answer, not a fault
    """The call does not run.

    Attributes:
        outcome: The audit's word for it.
        decided: What is known about the call by then; None if nothing is new.
    """

    def __init__(self, outcome: Outcome, text: str, decided: DecidedCall | None = None) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.decided = decided
