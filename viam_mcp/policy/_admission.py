"""A call that may run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from viam_mcp.policy.record._credentials import Delivery
    from viam_mcp.policy.rules._rules import Secrets
    from viam_mcp.tools import Environment, Tool

Visible = Callable[[Sequence[Any]], Awaitable[list[bool]]]
"""Says of each item of a list whether it may be given to the caller."""


@dataclass(frozen=True)
class Admission:
    """A call that may run, and what its run needs from the gate.

    Attributes:
        tool: The tool with its arguments, to which the gate may have added.
        environment: What the tool may use. It names the only file that the call may send, where a person agreed to one.
        secrets: How the answer gives a credential.
        visible: Says of each item of the tool's list whether the caller may see it.
            Raises Refused if that cannot be read.
        delivery: Returns the place for the answer's credential, as a context; None inside if the answer gives it or has
            none. Raises Refused if there can be no place, so that no credential should be minted.
    """

    tool: Tool
    environment: Environment
    secrets: Secrets
    visible: Visible = field(repr=False)
    delivery: Callable[[], AbstractAsyncContextManager[Delivery | None]] = field(repr=False)
