"""What a tool is: a pydantic model of its arguments that can be run against an `AppClient`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from viam_mcp.app import Page
from viam_mcp.proto import POOL
from viam_mcp.tools._declarations import problems
from viam_mcp.tools._refs import refs
from viam_mcp.tools._spec import Effect, ScopedBy, Spec
from viam_mcp.tools.previews._model import Preview
from viam_mcp.tools.previews._values import literal
from viam_mcp.tools.redaction._secrets import redacted
from viam_mcp.tools.redaction._text import shorten, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from viam_mcp.app import AppClient
    from viam_mcp.tools._environment import Environment
    from viam_mcp.tools._refs import Reference
    from viam_mcp.tools.previews._model import Risk
    from viam_mcp.tools.results._output import Output


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
        risks: What a call may put at risk that has to be asked about even where the tool is allowed.
        types_name: When its preview has a person type the name of what is touched: "always", or "if …".
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
        types_name: str = "",
        rpc: str | None = _DERIVED,
        risks: Sequence[Risk] = (),
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
        effect: Effect | None = None,
        reveals_secret: bool | None = None,
        mints: str = "",
        grants: bool = False,
        core: bool = False,
        scoped_by: ScopedBy = ScopedBy.ARGUMENTS,
        types_name: str = "",
        rpc: str | None = _DERIVED,
        risks: Sequence[Risk] = (),
    ) -> None:
        if rpc is None and effect is None:
            # Nothing else says what it does: where there is one rpc, its `idempotency_level` has to agree.
            raise TypeError(f"{cls.__name__} declares too little: with rpc=None, say its effect=")
        effect = effect or Effect.READ
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
            arguments=cls,
            types_name=types_name,
            risks=frozenset(risks),
        )
        if rpc is not None and spec.rpc is None:
            raise TypeError(f"{cls.__name__}: no rpc is named like it; name one with rpc=, or say rpc=None")
        found = problems(cls, spec, lists=issubclass(cls, ListTool), reveals_secret=reveals_secret)
        if found:
            raise TypeError(f"{cls.__name__} declares too little: {'; '.join(found)}.")
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

    async def opens(self, app: AppClient) -> list[Reference]:
        """Return what the authority opens that the call mints, rotates, grants or deletes, as far as no argument names
        it: a scope holds for all of it. Reads, never changes.
        """
        return []

    async def preview(self, app: AppClient, environment: Environment) -> Preview:
        """What a person sees before it runs. Reads, never changes.

        Raises:
            AppError: If what is to be touched cannot be read.
            ToolError: If the call cannot be done as it was asked, such as when a file is missing.
        """
        # The arguments are shown whole: the subject says of a long one how it begins.
        arguments: Any = redacted(self.model_dump(mode="json", exclude_defaults=True))
        lines = (f"{key}: {literal(value)}" for key, value in arguments.items())
        return Preview(lines=(f"{self.spec.title}: {await self.subject(app)}", *lines))


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
