"""What a tool is: a pydantic model of its arguments that can be run against an `AppClient`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from viam_mcp.app import Page
from viam_mcp.proto import POOL
from viam_mcp.tools._belongs import undeclared_messages
from viam_mcp.tools._refs import refs, refs_within, undeclared
from viam_mcp.tools.redaction._secrets import redacted
from viam_mcp.tools.redaction._text import shorten, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from google.protobuf.descriptor import MethodDescriptor

    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment
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
class Preview:
    """What a person sees before a call runs; made by `await tool.preview(app, environment)`.

    Attributes:
        lines: A few lines that name what will be touched and what becomes of it. No text in them
            changes while the target stays the same (no "seen 3 s ago"): they are what a confirmation
            is bound to.
        subject: The name of what is touched, exactly as it is stored, for a person to type where a rule
            asks for it. Not made safe for display.
        type_subject: Whether to have the name typed whatever the rules say, because so much goes with it.
        bound: What a confirmation is bound to besides `lines`: what they only count or name in part, as a
            digest (see `state_of`).
        file: The SHA-256 of the file that the call sends, in hexadecimal digits: it then sends that one or none.
        now: What is worth knowing and changes by itself, such as how many machines are online. The person
            sees it after `lines`; a confirmation is not bound to it.
        last_known_update: For configurations, when the target was last saved; the call then carries
            it, so that the service refuses to overwrite an edit made in between.
    """

    lines: tuple[str, ...]
    subject: str | None = None
    type_subject: bool = False
    bound: tuple[str, ...] = ()
    file: str | None = None
    now: tuple[str, ...] = ()
    last_known_update: datetime | None = None


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

    @property
    def mints(self) -> bool:
        """Whether a call makes a new credential, which its answer may give this one time."""
        return bool(self.remedy)

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


TOOLS: dict[str, type[Tool]] = {}
"""Every tool, by name."""


_DERIVED: Final = "derived"


class Tool(BaseModel):
    """One operation of the fleet: its arguments, its documentation, and how it runs.

    A subclass's fields are the arguments, its docstring is the description, its name in snake_case
    the tool's name. The class keywords say the rest:

        toolset: The subject it belongs to. A subclass without it is a base for others.
        returns: The shape of the result.
        effect: What a call does to the fleet; a read if nothing is said.
        reveals_secret: Whether the answer carries a credential. It has to be said where the answer's type can hold
            one (`debug_redact` in the wire contract) and cannot be said where it cannot.
        mints: For a tool that makes a new credential: what to do about one that was made and could not be given.
        grants: Whether a call gives somebody access.
        core: Whether running a fleet day by day takes it.
        scoped_by: How a scope holds for its calls.
        rpc: The name of the method of the wire contract behind it, where that is not the tool's; None if it is not a
            single one.

    A subclass that declares too little is a `TypeError`, whose text says what is missing.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True)

    spec: ClassVar[Spec]

    def __init_subclass__(
        cls,
        toolset: str | None = None,
        returns: Output | None = None,
        effect: Effect = Effect.READ,
        reveals_secret: bool | None = None,
        mints: str = "",
        grants: bool = False,
        core: bool = False,
        scoped_by: ScopedBy = ScopedBy.ARGUMENTS,
        rpc: str | None = _DERIVED,
    ) -> None:
        # The keywords are given on to `_declare`, once the fields are known.
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, **keywords: Any) -> None:
        super().__pydantic_init_subclass__()
        if not keywords:
            return  # a base for others
        if not keywords.get("toolset") or keywords.get("returns") is None:
            raise TypeError(f"{cls.__name__} declares too little: say its toolset= and what it returns=")
        cls._declare(**keywords)

    @classmethod
    def _declare(
        cls,
        toolset: str,
        returns: Output,
        *,
        effect: Effect = Effect.READ,
        reveals_secret: bool | None = None,
        mints: str = "",
        grants: bool = False,
        core: bool = False,
        scoped_by: ScopedBy = ScopedBy.ARGUMENTS,
        rpc: str | None = _DERIVED,
    ) -> None:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        spec = Spec(
            name=name,
            toolset=toolset,
            effect=effect,
            returns=returns,
            reveals_secret=bool(reveals_secret),
            description=" ".join((cls.__doc__ or "").split()),
            rpc=None if rpc is None else _RPCS.get((name if rpc is _DERIVED else rpc).replace("_", "").lower()),
            remedy=mints,
            grants=grants,
            core=core,
            scoped_by=scoped_by,
        )
        if rpc is not None and spec.rpc is None:
            raise TypeError(f"{cls.__name__}: no rpc is named like it; name one with rpc=, or say rpc=None")
        problems = [*undeclared(cls), *_contradictions(cls, spec), *_unsaid_secret(spec, reveals_secret)]
        if problems:
            raise TypeError(f"{cls.__name__} declares too little: {'; '.join(problems)}.")
        cls.spec = spec
        if TOOLS.setdefault(name, cls) is not cls:
            raise TypeError(f"there are two tools named {name}")

    @property
    def effect(self) -> Effect:
        """What this very call does: as its tool says, unless its arguments make it do more."""
        return self.spec.effect

    @classmethod
    def effects(cls) -> tuple[Effect, ...]:
        """What calls may do, depending on their arguments."""
        return (cls.spec.effect,)

    def meant(self, default_location: str | None = None) -> dict[str, Any]:
        """The arguments as JSON values, with what the service puts in the place of those that were left out.

        Args:
            default_location: The client's default location; None if it has none.
        """
        left_out = dict.fromkeys(
            (name for name, ref in refs(type(self)).items() if ref.or_default and getattr(self, name) is None),
            default_location,
        )
        return {**self.model_dump(mode="json"), **left_out}

    async def run(self, app: AppClient) -> Any:
        """Do it: one method of `app`. What comes back fits `spec.returns`."""
        raise NotImplementedError

    async def execute(self, app: AppClient, environment: Environment) -> Any:
        """Do it, for tools that need more than the fleet: files, progress."""
        return await self.run(app)

    async def subject(self, app: AppClient) -> str:
        """What the call is about, by kind, name and id, such as `machine 'rover-1' (4a8f…)`. Reads, never changes."""
        arguments: Any = redacted(self.model_dump(exclude_defaults=True))
        return ", ".join(f"{key} {shorten(visible(repr(value)), 200)}" for key, value in arguments.items())

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        """What a person sees before it runs. Reads, never changes.

        Raises:
            AppError: If what is to be touched cannot be read.
            ToolError: If the call cannot be done as it was asked, such as when a file is missing.
        """
        return Preview(lines=(f"{self.spec.title}: {await self.subject(app)}",))


class ListTool(Tool):
    """A tool whose answer is a list. A result may stop before the end, with `next_cursor` to go on from."""

    limit: Annotated[int, Field(ge=1, le=1000, description="At most this many items")] | None = None
    cursor: Annotated[str, Field(description="next_cursor of the answer before")] | None = None
    fields: Annotated[list[str], Field(max_length=100, description="Only these fields of each item")] | None = None

    exact_pages: ClassVar[bool] = False
    """Whether `page` gives exactly `limit` items, as long as there are so many."""

    async def execute(self, app: AppClient, environment: Environment) -> Any:
        """What is done once besides listing: nothing, for most."""

    async def page(self, app: AppClient, token: str, limit: int) -> Page[Any]:
        """Items from the service's page `token` on, about `limit` of them. Most lists come whole, as one page."""
        return Page(await self.run(app))

    def besides(self, environment: Environment, items: Sequence[Any], *, last: bool) -> dict[str, Any]:
        """Members of the answer besides the list.

        Args:
            environment: What the tool may use.
            items: The items that are in the answer.
            last: Whether none comes after them.
        """
        return {}

    def total(self) -> int | None:
        """How many items the caller wants over all pages; None for every one."""
        return None


_RPCS = {rpc.name.lower(): rpc for rpc in POOL.FindServiceByName("viam.app.v1.AppService").methods}


def _contradictions(tool: type[Tool], spec: Spec) -> Iterator[str]:
    """Yield what the keywords of a tool leave open or say against each other, a sentence each."""
    returns = spec.returns
    by_items = spec.scoped_by is ScopedBy.ITEMS
    for message in returns.messages():
        yield from undeclared_messages(message, items=by_items)
    if by_items and not issubclass(tool, ListTool):
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
    if holds and said is None:
        yield "its answer can hold a credential: say reveals_secret=True, or reveals_secret=False and it is never given"
    if said and not holds:
        yield "it says reveals_secret=True, and nothing in its answer is marked as a credential"
