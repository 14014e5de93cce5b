"""What a tool may use besides the fleet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viam_mcp.logs import Tails
    from viam_mcp.tools._files import Files

Progress = Callable[[float, float | None, str], Awaitable[None]]
"""Tells the client how far a call has come: done, of how much (None: unknown), and a few words."""


async def no_progress(done: float, total: float | None, message: str) -> None:
    """The progress of a call that nobody watches."""


@dataclass(frozen=True)
class Environment:
    """What a tool may use besides the fleet.

    Attributes:
        files: The folder that tools may read from and write to; None where the operator gave none.
        progress: Where a long call says how far it has come.
        tails: Follows the logs of parts; None where nobody does.
        budget: How many bytes of compact JSON a result may take, for tools that shape theirs themselves.
        file: The SHA-256 of the only file that the call may send, where it sends one that somebody agreed to.
        notes: What the caller should know besides the result, such as the name of a file that was written.
    """

    files: Files | None = None
    progress: Progress = no_progress
    tails: Tails | None = None
    budget: int = 65_536
    file: str | None = None
    notes: list[str] = field(default_factory=list)
