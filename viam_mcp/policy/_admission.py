"""A call that may run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from viam_mcp.app import AppClient
    from viam_mcp.policy.record._credentials import Delivery
    from viam_mcp.policy.rules._rules import Secrets
    from viam_mcp.tools import Environment, Tool


@dataclass(frozen=True)
class Admission:
    """A call that may run, and what its run needs from the gate.

    Attributes:
        tool: The tool with its arguments, to which the gate may have added.
        environment: What the tool may use. It names the only file that the call may send, where a person agreed to one.
        secrets: How the answer gives a credential.
        app: The fleet as the call may see it.
        delivery: Returns the place for the answer's credential, as a context; None inside if the answer gives it or has
            none. Raises Refused if there can be no place, so that no credential should be minted.
    """

    tool: Tool
    environment: Environment
    secrets: Secrets
    app: AppClient = field(repr=False)
    delivery: Callable[[], AbstractAsyncContextManager[Delivery | None]] = field(repr=False)
