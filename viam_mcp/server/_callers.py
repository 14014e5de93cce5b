"""What a caller may reach, as it is said by the credential that a request came with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from viam_mcp.tools import Effect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mcp.server.context import ServerRequestContext

    from viam_mcp.tools import Tool

SCOPES = {f"viam:{effect}": effect for effect in Effect}
"""What each scope of an access token opens. None includes another."""


@dataclass(frozen=True)
class Grant:
    """What the credential of a caller is good for.

    Attributes:
        caller: Who calls; the same for every request of one caller, and for no other.
        effects: What calls may do to the fleet.
        tools: The tools that may be called; None for all that the server offers.
        policy: The policy file that holds for this caller in place of the server's; None for the server's.
    """

    caller: str
    effects: frozenset[Effect] = frozenset(Effect)
    tools: frozenset[str] | None = None
    policy: Path | None = None

    def among(self, tools: Mapping[str, type[Tool]]) -> dict[str, type[Tool]]:
        """Those of the tools that the caller may call."""
        return {
            name: tool
            for name, tool in tools.items()
            if tool.spec.effect in self.effects and (self.tools is None or name in self.tools)
        }


def effects_of(scopes: list[str]) -> frozenset[Effect]:
    """What a list of scopes opens. Scopes that mean nothing here open nothing."""
    return frozenset(SCOPES[scope] for scope in scopes if scope in SCOPES)


def grant_of(ctx: ServerRequestContext[Any, Any]) -> Grant | None:
    """What the credential of a request is good for; None where callers need none, as on stdio."""
    if ctx.request is None or "user" not in ctx.request.scope:
        return None
    # Whoever passed the authentication has one: without it, this fails, and so does the request.
    grant: Grant = ctx.request.user.access_token.grant
    return grant
