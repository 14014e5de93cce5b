"""What is known of a tool without running it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor
    from pydantic import BaseModel

    from viam_mcp.tools.previews._model import Risk
    from viam_mcp.tools.results._output import Output


class Effect(StrEnum):
    """What a call does to the fleet.

    `READ` changes nothing. `WRITE` adds something new that can be taken away again. `DESTRUCTIVE`
    deletes, overwrites, revokes, grants access, makes public, restarts a machine or rolls out code.
    """

    READ = "read"
    WRITE = "write"
    DESTRUCTIVE = "destructive"


class ScopedBy(StrEnum):
    """How a scope (the organizations and locations that a server is limited to) holds for calls of a tool.

    `ARGUMENTS`: everything that the arguments name has to be inside. `ITEMS`: the answer is a list over places that
    may be outside in part, and each of its items is judged on its own. `NOTHING`: a call is about no place, so it is
    refused where there is a scope.
    """

    ARGUMENTS = "arguments"
    ITEMS = "items"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Spec:
    """What is known of a tool without running it.

    Attributes:
        name: The tool's name, exactly the `AppClient` method's.
        toolset: The subject it belongs to.
        effect: What a call does to the fleet; see also `Tool.effect`.
        returns: The shape of the result.
        reveals_secret: Whether the answer carries a credential.
        description: What it is for, what it returns, and when to use another tool.
        rpc: The method of the wire contract behind it; None where it is not a single one.
        remedy: For a tool that makes a credential: what to do about one that was made and could not be given.
        grants: Whether a call gives somebody access.
        core: Whether running a fleet day by day takes it; see the toolset `core`.
        scoped_by: How a scope holds for its calls.
        arguments: The model of its arguments.
        risks: What a call may put at risk that has to be asked about even where its tool is allowed. Whether it does
            is in its preview.
    """

    name: str
    toolset: str
    effect: Effect
    returns: Output
    reveals_secret: bool
    description: str
    rpc: MethodDescriptor | None
    remedy: str = ""
    grants: bool = False
    core: bool = False
    scoped_by: ScopedBy = ScopedBy.ARGUMENTS
    arguments: type[BaseModel] | None = None
    types_name: str = ""
    risks: frozenset[Risk] = frozenset()

    @property
    def mints(self) -> bool:
        """Whether a call makes a new credential, which its answer may give this one time."""
        return bool(self.remedy)

    @property
    def secret_arguments(self) -> frozenset[str]:
        """The arguments that are credentials by the wire contract, whatever is in them."""
        fields = () if self.rpc is None else self.rpc.input_type.fields
        return frozenset(field.name for field in fields if field.GetOptions().debug_redact)

    @property
    def title(self) -> str:
        """The name as a person reads it: `Get robot part`."""
        return self.name.replace("_", " ").capitalize()

    @property
    def summary(self) -> str:
        """The description's first sentence."""
        return self.description.split(". ")[0].rstrip(".") + "."

    @property
    def idempotent(self) -> bool:
        """Whether repeating a call leaves the fleet as one call does, by the contract's `idempotency_level`."""
        return self.effect is Effect.READ or (self.rpc is not None and bool(self.rpc.GetOptions().idempotency_level))
