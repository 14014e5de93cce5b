"""What each caller may reach, as it is said by the credential that a request came with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from viam_mcp.policy import LOCAL, Caller
from viam_mcp.tools import Effect, sanitize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mcp.server.context import ServerRequestContext

    from viam_mcp.calls._keys import KeyName
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

    def opens(self, tool: str, effect: Effect) -> bool:
        """Whether calls of a tool may be made that have this effect."""
        return effect in self.effects and (self.tools is None or tool in self.tools)


def open_to(grant: Grant, tools: Mapping[str, type[Tool]]) -> dict[str, type[Tool]]:
    """Those of the tools that a grant opens."""
    return {name: tool for name, tool in tools.items() if grant.opens(name, tool.spec.effect)}


def effects_of(scopes: Iterable[str]) -> frozenset[Effect]:
    """What a list of scopes opens. Scopes that mean nothing here open nothing."""
    return frozenset(SCOPES[scope] for scope in scopes if scope in SCOPES)


class Token(Protocol):
    """A credential that was found good when a request came."""

    @property
    def grant(self) -> Grant:
        """What it was good for then."""

    def now(self) -> Grant | None:
        """What it is good for at this moment; None for nothing any more."""


def _token_of(ctx: ServerRequestContext[Any, Any]) -> Token | None:
    if ctx.request is None or "user" not in ctx.request.scope:
        return None
    # Whoever passed the authentication has one: without it, this fails, and so does the request.
    token: Token = ctx.request.user.access_token
    return token


def grant_of(ctx: ServerRequestContext[Any, Any]) -> Grant | None:
    """What the credential of a request is good for; None where callers need none, as on stdio."""
    token = _token_of(ctx)
    return None if token is None else token.grant


def _opens(token: Token, tool: str, effect: Effect) -> bool:
    # A call may have waited for a person, or for its turn, and the credential was changed meanwhile. Whose fleet the
    # call goes to, and under which policy, was settled by what it was before.
    grant, then = token.now(), token.grant
    same = grant is not None and (grant.caller, grant.policy, grant.key) == (then.caller, then.policy, then.key)
    return grant is not None and same and grant.opens(tool, effect)


def caller_of(ctx: ServerRequestContext[Any, Any]) -> Caller:
    """Who sent a request: whoever its credential was given to, or the user of this computer."""
    token, parameters = _token_of(ctx), ctx.session.client_params
    program = "" if parameters is None else f"{parameters.client_info.name} {parameters.client_info.version}"
    program = sanitize(program)[:100]
    if token is None:
        return Caller(LOCAL.id, program)
    return Caller(token.grant.caller, program, opens=partial(_opens, token))
