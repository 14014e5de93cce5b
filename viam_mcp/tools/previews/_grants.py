"""Roles on resources, in words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol

from viam_mcp.app import NotFound, PermissionDenied
from viam_mcp.tools.previews._names import kind, quoted, resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from viam_mcp.app import AppClient
    from viam_mcp.proto import app as wire

MOST_GRANTS = 20
"""How many roles one call may give: as many as a person is shown whole, whatever their resources are called."""

_MOST_LOOKED_UP = 10
_LONGEST_NAME = 40
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


class Grant(NamedTuple):
    """A role on a resource."""

    role: str
    resource_type: str
    resource_id: str

    @classmethod
    def asked(cls, argument: Asked) -> Grant:
        """As arguments have it."""
        return cls(argument.role, argument.resource_type, argument.resource_id)

    @classmethod
    def held(cls, message: wire.Authorization | wire.AuthorizationDetails) -> Grant:
        """As the wire contract has it, where the role is the end of an id such as `location_owner`."""
        role = message.authorization_id.removeprefix(f"{message.resource_type}_")
        return cls(role, message.resource_type, message.resource_id)


async def held_by(app: AppClient, org_id: str, identity_id: str) -> list[Grant]:
    """What a user or an API key holds in an organization."""
    held = await app.list_authorizations(org_id)
    return strongest_first(Grant.held(message) for message in held if message.identity_id == identity_id)


def strongest_first(grants: Iterable[Grant]) -> list[Grant]:
    """Each of the grants once, owners before operators and organizations before what is in them.

    What nobody here knows comes first: it may be anything.
    """
    return sorted(set(grants), key=lambda one: (_rank(one.role, _ROLES), _rank(one.resource_type, _KINDS), one))


def _rank(word: str, known: Sequence[str]) -> int:
    return known.index(word) if word in known else -1


def warned(app: AppClient, identity_id: str) -> list[str]:
    """The line that says so if a call is about the very key that it would be made with."""
    return ["THIS SERVER ITSELF signs in with this key."] if identity_id == app.api_key_id else []


async def in_words(app: AppClient, grants: Iterable[Grant]) -> list[str]:
    """Such as `owner of machine 'rover-1' (id)`, the first few with the names of what they are about."""
    grants = list(grants)
    known = [(grant.resource_type, grant.resource_id) for grant in grants if grant.resource_type in _KINDS]
    looked_up = list(dict.fromkeys(known))[:_MOST_LOOKED_UP]
    names = await asyncio.gather(*(_name(app, *one) for one in looked_up))
    found = dict(zip(looked_up, names, strict=True))
    return [
        f"{_role(grant.role)} of "
        + found.get(
            (grant.resource_type, grant.resource_id), f"{_type(grant.resource_type)} {quoted(grant.resource_id)}"
        )
        for grant in grants
    ]


async def _name(app: AppClient, resource_type: str, resource_id: str) -> str:
    """Such as `machine 'rover-1' (id)`: so short that a person can be shown as many as there may be."""
    try:
        name = quoted((await resource(app, resource_type, resource_id)).name, _LONGEST_NAME)
    except (NotFound, PermissionDenied):
        name = ""
    # What is written with many escapes says nothing.
    readable = 0 < len(name) <= 2 * _LONGEST_NAME
    return f"{kind(resource_type)} {name} ({resource_id})" if readable else f"{kind(resource_type)} {resource_id}"


def _role(role: str) -> str:
    return role if role in _ROLES else quoted(role)


def _type(resource_type: str) -> str:
    return kind(resource_type) if resource_type in _KINDS else quoted(resource_type)
