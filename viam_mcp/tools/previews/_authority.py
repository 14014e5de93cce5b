"""Who may do what: roles on resources in words, what they open, and what signs in with them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol

from viam_mcp.app import NotFound, PermissionDenied
from viam_mcp.tools._refs import Reference, resource_kinds
from viam_mcp.tools.previews._model import Consequence, Risk
from viam_mcp.tools.previews._names import brief, kind, named, resource
from viam_mcp.tools.previews._places import NOTHING, UNREADABLE, contents_of_resource
from viam_mcp.tools.previews._values import legible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from viam_mcp.app import AppClient
    from viam_mcp.proto import app as wire
    from viam_mcp.tools.previews._places import Contents

MOST_GRANTS = 20
"""How many roles one call may give."""

_AT_ONCE = 8  # look-ups
_KINDS = ("organization", "location", "robot")
_ROLES = ("owner", "operator")


class Asked(Protocol):
    """A role on a resource, as arguments have it."""

    @property
    def role(self) -> str: ...
    @property
    def resource_type(self) -> str: ...
    @property
    def resource_id(self) -> str: ...


class RoleGrant(NamedTuple):
    """A role on a resource."""

    role: str
    resource_type: str
    resource_id: str

    @classmethod
    def asked(cls, argument: Asked) -> RoleGrant:
        """Return a role as arguments have it."""
        return cls(argument.role, argument.resource_type, argument.resource_id)

    @classmethod
    def held(cls, message: wire.Authorization | wire.AuthorizationDetails) -> RoleGrant:
        """Return a role as the wire contract has it: the end of an id such as `location_owner`."""
        role = message.authorization_id.removeprefix(f"{message.resource_type}_")
        return cls(role, message.resource_type, message.resource_id)

    @property
    def resource(self) -> tuple[str, str]:
        """What it is on: the type and the id."""
        return self.resource_type, self.resource_id

    @property
    def reference(self) -> Reference:
        """What it is on, for the scope. A type that is not known is no kind of thing, so it is outside of any."""
        return Reference(resource_kinds(self.resource_type), self.resource_id)


class Authority(NamedTuple):
    """Roles in words, with what they open.

    Attributes:
        roles: Each role, whole: `owner of location 'Hall 3' (id)`.
        briefly: Each role for the headline: `owner of location 'Hall 3'`.
        names: The name of what each role is on, as it is stored; empty if it cannot be read.
        opens: For each role, lines about what is in what it is on.
        bound: What a confirmation is bound to: what the roles open now.
    """

    roles: list[str]
    briefly: list[str]
    names: list[str]
    opens: list[list[str]]
    bound: tuple[str, ...]

    def lines(self, start: str) -> list[str]:
        """Return the lines that list all of it: each role after `start`, and what it opens below it."""
        return [
            line
            for role, inside in zip(self.roles, self.opens, strict=True)
            for line in (f"{start} {role}.", *(f"  {one}" for one in inside))
        ]

    def consequences(self, label: str = "GRANTS") -> list[Consequence]:
        """Return what is grave about giving it to somebody."""
        names = ", ".join(self.briefly)
        return [Consequence(Risk.ACCESS, label, names, len(self.roles))] if self.roles else []


async def authority(app: AppClient, grants: Iterable[RoleGrant]) -> Authority:
    """Return roles in words, with what is in what they are on."""
    grants = [*grants]
    targets = await _targets(app, grants, inside=True)
    return Authority(
        roles=[f"{_role(grant.role)} of {one.whole}" for grant, one in zip(grants, targets, strict=True)],
        briefly=[f"{_role(grant.role)} of {one.briefly}" for grant, one in zip(grants, targets, strict=True)],
        names=[one.name for one in targets],
        opens=[one.contents.lines for one in targets],
        bound=tuple(digest for one in targets for digest in one.contents.bound),
    )


async def held_by(app: AppClient, org_id: str, *identities: str) -> list[list[RoleGrant]]:
    """Return what users or API keys hold in an organization, each of them by itself."""
    held = await app.list_authorizations(org_id)
    return [
        strongest_first(RoleGrant.held(message) for message in held if message.identity_id == identity)
        for identity in identities
    ]


def strongest_first(grants: Iterable[RoleGrant]) -> list[RoleGrant]:
    """Return each of the roles once, owners before operators and organizations before what is in them.

    What nobody here knows comes first: it may be anything.
    """
    return sorted(set(grants), key=lambda one: (_rank(one.role, _ROLES), _rank(one.resource_type, _KINDS), one))


def _rank(word: str, known: Sequence[str]) -> int:
    return known.index(word) if word in known else -1


def warned(app: AppClient, identity_id: str) -> list[str]:
    """Return the line that says so if a call is about the very key that it would be made with."""
    return ["THIS SERVER ITSELF signs in with this key."] if identity_id == app.api_key_id else []


async def in_words(app: AppClient, grants: Iterable[RoleGrant]) -> list[str]:
    """Return roles in words, such as `owner of machine 'rover-1' (id)`."""
    grants = [*grants]
    targets = await _targets(app, grants, inside=False)
    return [f"{_role(grant.role)} of {one.whole}" for grant, one in zip(grants, targets, strict=True)]


class _Target(NamedTuple):
    """What a role is on: what to call it, whole and briefly, its name as it is stored, and what is in it."""

    whole: str
    briefly: str
    name: str
    contents: Contents


async def _targets(app: AppClient, grants: Sequence[RoleGrant], *, inside: bool) -> list[_Target]:
    """Return what each role is on. Each resource is looked up once; `inside`: with what is in it."""
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def look_up(one: tuple[str, str]) -> _Target:
        async with at_once:
            return await _target(app, *one, inside=inside)

    resources = list(dict.fromkeys(grant.resource for grant in grants))
    found = dict(zip(resources, await asyncio.gather(*map(look_up, resources)), strict=True))
    return [found[grant.resource] for grant in grants]


async def _target(app: AppClient, resource_type: str, resource_id: str, *, inside: bool) -> _Target:
    if resource_type not in _KINDS:
        unknown = f"{legible(repr(resource_type))} {legible(repr(resource_id))}"
        return _Target(unknown, unknown, "", UNREADABLE if inside else NOTHING)
    what = kind(resource_type)
    try:
        record = await resource(app, resource_type, resource_id)
    except (NotFound, PermissionDenied):
        unknown = f"{what} {legible(resource_id)}"
        return _Target(unknown, unknown, "", UNREADABLE if inside else NOTHING)
    contents = await contents_of_resource(app, record) if inside else NOTHING
    return _Target(named(what, record.name, resource_id), brief(what, record.name), record.name, contents)


def _role(role: str) -> str:
    return role if role in _ROLES else legible(repr(role))
