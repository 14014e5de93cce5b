"""What a caller's credential opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from viam_mcp.tools import Effect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from viam_mcp.calls._key_names import KeyName
    from viam_mcp.tools import Tool

SCOPES = {f"viam:{effect}": effect for effect in Effect}
"""The effect that each scope of an access token opens. No scope includes another."""


@dataclass(frozen=True)
class Access:
    """What the credential of a caller opens.

    Attributes:
        caller: Who calls; the same for every request of one caller, and for no other caller.
        effects: What calls may do to the fleet.
        tools: The tools that may be called; None for all that the server offers.
        policy: The policy file that holds for this caller in place of the server's; None for the server's.
        key: The key of a Viam organization that the caller has on this computer; None for none.
    """

    caller: str
    effects: frozenset[Effect] = frozenset(Effect)
    tools: frozenset[str] | None = None
    policy: Path | None = None
    key: KeyName | None = None

    def opens(self, tool: str, effect: Effect) -> bool:
        """Return whether calls of a tool that have this effect may be made."""
        return effect in self.effects and (self.tools is None or tool in self.tools)


class CallerCredential(Protocol):
    """A credential that was found valid when a request came."""

    @property
    def access(self) -> Access:
        """What it opened then."""

    def now(self) -> Access | None:
        """Return what it opens at this moment; None if it is not valid any more."""


def opens_now(credential: CallerCredential, tool: str, effect: Effect) -> bool:
    """Return whether a credential opens a tool at this moment, for a call that it was valid for when the call came.

    A call may have waited for a person or for a slot, and the credential was changed meanwhile. Which fleet the call
    goes to, and under which policy, was settled when it came: where that has changed, the credential opens nothing.
    """
    access, then = credential.now(), credential.access
    if access is None or (access.caller, access.policy, access.key) != (then.caller, then.policy, then.key):
        return False
    return access.opens(tool, effect)


def open_to(access: Access, tools: Mapping[str, type[Tool]]) -> dict[str, type[Tool]]:
    """Return those of the tools that an access opens."""
    return {name: tool for name, tool in tools.items() if access.opens(name, tool.spec.effect)}


def effects_of(scopes: Iterable[str]) -> frozenset[Effect]:
    """Return the effects that a list of scopes opens. Unknown scopes open nothing."""
    return frozenset(SCOPES[scope] for scope in scopes if scope in SCOPES)
