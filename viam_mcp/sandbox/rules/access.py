"""Access control: which caller may see and change which row. No other module decides this.

Every service finds the row that a request names through here, so that a missing id and a forbidden
one are refused in the same words everywhere:

    organization(call, org_id, role="operator") -> Row    columns of organizations
    location(call, location_id, role="operator") -> Row   columns of locations
    robot(call, robot_id, role="operator") -> Row         columns of robots, and org_id
    part(call, part_id, role="operator") -> Row           columns of parts, and robot_name, location_id, org_id
    fragment(call, fragment_id, role="operator") -> Row   columns of fragments
    visible_organizations(call) -> list[Row]
    require(call, role, resource_type, resource_id) -> None
    holds(call, role, resource_type, resource_id) -> bool
    ancestors(call, location_id) -> list[str]             the location, its parent, its parent's parent

A role is held on an organization, a location or a machine, and everything below inherits it:

    "visible"   holds something there or below: enough to read a name on the way to what one may use
    "operator"  reads and controls
    "owner"     configures and manages; an owner is an operator too

Members and keys of an organization that a location is shared with are operators of that location and
of all below it. Fragments belong to an organization; public ones can be read by everybody.

Raises (all that return a row): Refusal INVALID_ARGUMENT for an empty or malformed id, NOT_FOUND for one
that names nothing or nothing that the caller may see, PERMISSION_DENIED for one that the caller may see
but not use in that role.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from grpclib.const import Status

from viam_mcp.proto import app
from viam_mcp.sandbox.rpc import Refusal, invalid, not_found

if TYPE_CHECKING:
    import sqlite3

    from viam_mcp.sandbox.rpc import IncomingCall

__all__ = [
    "ResourceType",
    "Role",
    "ancestors",
    "fragment",
    "holds",
    "location",
    "location_form",
    "organization",
    "part",
    "quoted",
    "require",
    "robot",
    "uuid",
    "visible_organizations",
]


Role = Literal["visible", "operator", "owner"]
ResourceType = Literal["organization", "location", "robot"]

_RANKS: dict[str, int] = {"visible": 1, "operator": 2, "owner": 3}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOCATION_ID = re.compile(r"[0-9a-z]{10}")
_WORDS = {"organization": "organization", "location": "location", "robot": "machine"}
_QUOTED = 60

_ANCESTORS = """
WITH RECURSIVE up (id, parent_id, depth) AS (
    SELECT id, parent_id, 0 FROM locations WHERE id = ?
    UNION ALL
    SELECT locations.id, locations.parent_id, depth + 1 FROM locations JOIN up ON locations.id = up.parent_id
)
SELECT id FROM up ORDER BY depth
"""
_ROBOT = """
SELECT robots.*, locations.org_id FROM robots JOIN locations ON locations.id = location_id WHERE robots.id = ?
"""
_PART = """
SELECT parts.*, robots.name AS robot_name, robots.location_id, locations.org_id
FROM parts JOIN robots ON robots.id = robot_id JOIN locations ON locations.id = location_id WHERE parts.id = ?
"""
_PUBLIC = (app.FRAGMENT_VISIBILITY_PUBLIC, app.FRAGMENT_VISIBILITY_PUBLIC_UNLISTED)


def quoted(text: str) -> str:
    """Return a text from a request as a message may repeat it: escaped, and cut when it is long."""
    return repr(text) if len(text) <= _QUOTED else f"{text[:_QUOTED]!r}... ({len(text)} characters)"


def uuid(value: str, what: str) -> str:
    """Return the value if it has the form of a UUID. `what` names the field in the refusal."""
    if not _UUID.fullmatch(value):
        raise invalid(f"{what}: expected a UUID like 01234567-89ab-cdef-0123-456789abcdef, got {quoted(value)}")
    return value


def location_form(value: str, what: str = "location_id") -> str:
    """Return the value if it has the form of a location's id. `what` names the field in the refusal."""
    if not _LOCATION_ID.fullmatch(value):
        raise invalid(f"{what}: expected 10 lowercase letters and digits, got {quoted(value)}")
    return value


def organization(call: IncomingCall, org_id: str, role: Role = "operator") -> sqlite3.Row:
    """Return the organization, for a caller that holds `role` on it."""
    row = call.store.one("SELECT * FROM organizations WHERE id = ?", uuid(org_id, "organization_id"))
    return _granted(call, role, "organization", org_id, row)


def location(call: IncomingCall, location_id: str, role: Role = "operator") -> sqlite3.Row:
    """Return the location, for a caller that holds `role` on it."""
    row = call.store.one("SELECT * FROM locations WHERE id = ?", location_form(location_id))
    return _granted(call, role, "location", location_id, row)


def robot(call: IncomingCall, robot_id: str, role: Role = "operator") -> sqlite3.Row:
    """Return the machine with its organization's id, for a caller that holds `role` on it."""
    row = call.store.one(_ROBOT, uuid(robot_id, "robot_id"))
    return _granted(call, role, "robot", robot_id, row)


def part(call: IncomingCall, part_id: str, role: Role = "operator") -> sqlite3.Row:
    """Return the part with the ids of its location and organization, for a caller that holds `role` on its machine."""
    row = call.store.one(_PART, uuid(part_id, "part_id"))
    if row is None or not holds(call, "visible", "robot", row["robot_id"]):
        raise not_found("machine part", part_id)
    require(call, role, "robot", row["robot_id"])
    return row


def fragment(call: IncomingCall, fragment_id: str, role: Role = "operator") -> sqlite3.Row:
    """Return the fragment: public ones for every reader, others for their organization, as owner for its owners."""
    row = call.store.one("SELECT * FROM fragments WHERE id = ?", uuid(fragment_id, "fragment_id"))
    if row is None or not (row["visibility"] in _PUBLIC or holds(call, "visible", "organization", row["org_id"])):
        raise not_found("fragment", fragment_id)
    if role == "owner" and not holds(call, "owner", "organization", row["org_id"]):
        raise _denied(call, role, f"fragment {fragment_id!r} and so of organization {row['org_id']!r}")
    return row


def visible_organizations(call: IncomingCall) -> list[sqlite3.Row]:
    """Return every organization in which the caller holds a role, by name."""
    return call.store.all(
        "SELECT * FROM organizations WHERE id IN (SELECT org_id FROM authorizations WHERE identity_id = ?)"
        " ORDER BY name, id",
        call.identity_id,
    )


def require(call: IncomingCall, role: Role, resource_type: ResourceType, resource_id: str) -> None:
    """Refuse a caller that does not hold `role`. The id's form is taken as right."""
    rank = _rank(call, resource_type, resource_id)
    if not rank:
        raise not_found(_WORDS[resource_type], resource_id)
    if rank < _RANKS[role]:
        raise _denied(call, role, f"{_WORDS[resource_type]} {resource_id!r}")


def holds(call: IncomingCall, role: Role, resource_type: ResourceType, resource_id: str) -> bool:
    """Return whether the caller holds `role` on the resource, itself or inherited."""
    return _rank(call, resource_type, resource_id) >= _RANKS[role]


def ancestors(call: IncomingCall, location_id: str) -> list[str]:
    """Return the location's id and those of all that it lies in, innermost first; [] if there is no such location."""
    return [row["id"] for row in call.store.all(_ANCESTORS, location_id)]


def _granted(
    call: IncomingCall, role: Role, resource_type: ResourceType, identifier: str, row: sqlite3.Row | None
) -> sqlite3.Row:
    if row is None:
        raise not_found(_WORDS[resource_type], identifier)
    require(call, role, resource_type, identifier)
    return row


def _denied(call: IncomingCall, role: Role, what: str) -> Refusal:
    who = "API key" if call.identity_type == "api-key" else "user"
    return Refusal(
        Status.PERMISSION_DENIED,
        f"permission denied: this needs the role {role!r} on {what}, which {who} {call.identity_id!r} does not hold;"
        f" ask an owner to grant it or use another key",
    )


def _rank(call: IncomingCall, resource_type: ResourceType, resource_id: str) -> int:
    """Return the highest role that the caller holds on the resource, as a number; 0 for none."""
    store = call.store
    grants = store.all(
        "SELECT role, resource_type, resource_id, org_id FROM authorizations WHERE identity_id = ?", call.identity_id
    )
    scope = _scope(call, resource_type, resource_id)
    rank = max(
        (_RANKS[grant["role"]] for grant in grants if (grant["resource_type"], grant["resource_id"]) in scope),
        default=0,
    )
    if rank < _RANKS["operator"] and _shared(call, scope):
        rank = _RANKS["operator"]
    below = (_scope(call, grant["resource_type"], grant["resource_id"]) for grant in grants)
    if not rank and any((resource_type, resource_id) in grant for grant in below):
        rank = _RANKS["visible"]
    return rank


def _scope(call: IncomingCall, resource_type: str, resource_id: str) -> set[tuple[str, str]]:
    """Return the resource and all that it inherits roles from."""
    scope = {(resource_type, resource_id)}
    location_id: str | None = resource_id
    if resource_type == "robot":
        location_id = call.store.value("SELECT location_id FROM robots WHERE id = ?", resource_id)
    if resource_type != "organization" and location_id is not None:
        scope.update(("location", identifier) for identifier in ancestors(call, location_id))
        scope.add(("organization", call.store.value("SELECT org_id FROM locations WHERE id = ?", location_id)))
    return scope


def _shared(call: IncomingCall, scope: set[tuple[str, str]]) -> bool:
    """Return whether a location of the scope is shared with an organization on which the caller holds a role."""
    locations = [identifier for kind, identifier in scope if kind == "location"]
    marks = ", ".join("?" * len(locations))
    return (
        call.store.one(
            "SELECT 1 FROM location_shares AS share JOIN authorizations AS grant_"  # noqa: S608 - marks alone
            " ON grant_.resource_type = 'organization' AND grant_.resource_id = share.org_id"
            f" WHERE share.location_id IN ({marks}) AND grant_.identity_id = ?",
            *locations,
            call.identity_id,
        )
        is not None
    )
