"""Whether a tool declares all that the policy has to know of it, and nothing that contradicts the wire contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import MethodOptions

from viam_mcp.tools._belongs import undeclared_messages
from viam_mcp.tools._refs import refs_within, undeclared
from viam_mcp.tools._spec import Effect, ScopedBy
from viam_mcp.tools.results._encode import may_hold_credential
from viam_mcp.tools.results._output import Values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from viam_mcp.tools._spec import Spec

_ADDING = ("Add", "Create", "New", "Resend")
"""How the rpcs begin that add something new, which can be taken away again."""


def problems(tool: type[BaseModel], spec: Spec, *, lists: bool, reveals_secret: bool | None) -> list[str]:
    """Return what a tool leaves open or says against itself, a sentence each.

    Args:
        tool: Its arguments.
        spec: What its class keywords say.
        lists: Whether its answer is a list.
        reveals_secret: What it says of credentials in its answer; None if nothing.
    """
    return [
        *undeclared(tool),
        *_unjudgeable(tool, spec, lists=lists),
        *_unfitting_effect(spec),
        *_unsaid_secret(spec, reveals_secret),
    ]


def _unjudgeable(tool: type[BaseModel], spec: Spec, *, lists: bool) -> Iterator[str]:
    """Yield what the keywords of a tool leave open or say against each other, a sentence each."""
    returns = spec.returns
    by_items = spec.scoped_by is ScopedBy.ITEMS
    for message in returns.messages():
        yield from undeclared_messages(message, items=by_items)
    if by_items and not lists:
        yield "only a list can be scoped_by=ScopedBy.ITEMS"
    named = refs_within(tool)
    if spec.scoped_by is ScopedBy.ARGUMENTS and not named:
        yield (
            "no argument names a thing of the fleet, so a scope cannot hold for it: mark one with Ref, or say "
            "scoped_by=ScopedBy.NOTHING, and it is refused where there is a scope"
        )
    if spec.scoped_by is ScopedBy.NOTHING and named:
        yield "it is scoped_by=ScopedBy.NOTHING, and its arguments name things of the fleet"
    if spec.grants and spec.effect is not Effect.DESTRUCTIVE:
        yield "it grants access, which is effect=Effect.DESTRUCTIVE"
    if spec.mints and not (spec.reveals_secret and spec.effect is not Effect.READ):
        yield "it mints a credential, so it is no read and says reveals_secret=True"


def _unsaid_secret(spec: Spec, said: bool | None) -> Iterator[str]:
    """Yield a sentence if what a tool says of credentials does not fit what its answer can hold."""
    holds = spec.returns.holds_secret()
    if said and not holds:
        yield "it says reveals_secret=True, and nothing in its answer is marked as a credential"
    if said is not None:
        return
    if holds:
        yield "its answer can hold a credential: say reveals_secret=True, or reveals_secret=False and it is never given"
    elif spec.rpc is not None and isinstance(spec.returns, Values) and may_hold_credential(spec.rpc.output_type):
        yield (
            f"the answer of {spec.rpc.name} can hold a credential: name the member that is one, as in "
            "Values(secret=...), and say reveals_secret=True, or say reveals_secret=False if none of them is"
        )


def _unfitting_effect(spec: Spec) -> Iterator[str]:
    """Yield a sentence if the effect of a tool is not what the wire contract says of its rpc."""
    if spec.rpc is None:
        return
    reads = spec.rpc.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    if reads is not (spec.effect is Effect.READ):
        says = "has no side effects" if reads else "changes something"
        yield f"{spec.rpc.name} {says} by the wire contract, and the tool's effect is {spec.effect}"
    elif spec.effect is Effect.WRITE and not spec.rpc.name.startswith(_ADDING):
        yield (
            f"effect=Effect.WRITE is for what adds something new, and {spec.rpc.name} does not begin with "
            f"{', '.join(_ADDING)}: say effect=Effect.DESTRUCTIVE"
        )
