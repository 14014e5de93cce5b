"""What each caller may reach, as it is said by the credential that a request came with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from viam_mcp.policy import LOCAL, Caller
from viam_mcp.tools import Effect, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mcp.server.context import ServerRequestContext

    from viam_mcp.server._keys import KeyName
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
        key: The key of a Viam organization that the caller has here; None for none.
    """

    caller: str
    effects: frozenset[Effect] = frozenset(Effect)
    tools: frozenset[str] | None = None
    policy: Path | None = None
    key: KeyName | None = None


def open_to(grant: Grant, tools: Mapping[str, type[Tool]]) -> dict[str, type[Tool]]:
    """Those of the tools that a grant opens."""
    return {
        name: tool
        for name, tool in tools.items()
        if tool.spec.effect in grant.effects and (grant.tools is None or name in grant.tools)
    }


def effects_of(scopes: Iterable[str]) -> frozenset[Effect]:
    """What a list of scopes opens. Scopes that mean nothing here open nothing."""
    return frozenset(SCOPES[scope] for scope in scopes if scope in SCOPES)


def grant_of(ctx: ServerRequestContext[Any, Any]) -> Grant | None:
    """What the credential of a request is good for; None where callers need none, as on stdio."""
    if ctx.request is None or "user" not in ctx.request.scope:
        return None
    # Whoever passed the authentication has one: without it, this fails, and so does the request.
    grant: Grant = ctx.request.user.access_token.grant
    return grant


def caller_of(ctx: ServerRequestContext[Any, Any]) -> Caller:
    """Who sent a request: whoever its credential was given to, or the user of this computer."""
    grant, parameters = grant_of(ctx), ctx.session.client_params
    program = "" if parameters is None else f"{parameters.client_info.name} {parameters.client_info.version}"
    return Caller(LOCAL.id if grant is None else grant.caller, sanitize(program)[:100])
