"""How previews are worded: few lines, bounded, names beside ids, and nothing from the fleet that acts on a terminal."""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING, Any

from viam_mcp.app import Fragment
from viam_mcp.proto import app as wire
from viam_mcp.tools._errors import ToolError
from viam_mcp.tools._tool import Preview
from viam_mcp.tools.previews._names import named, quoted
from viam_mcp.tools.redaction._secrets import without_secrets, without_secrets_sent
from viam_mcp.tools.redaction._text import shorten, visible
from viam_mcp.tools.results._encode import enum_names, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from google.protobuf.message import Message

    from viam_mcp.app import AppClient
    from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp
    from viam_mcp.tools._tool import Tool

MOST_LINES = 40
MOST_CHARACTERS = 4_000
_LONGEST_LINE = 1_000
_LONGEST_WHOLE = 500  # characters of a line that a question shows
_LONGEST_HEAD = 460  # to which comes how many are missing
_LAST_LINE = 100  # characters that the line which counts the others takes
_MOST_NAMES = 10
_LONGEST_VALUE = 200

VISIBILITIES = (Fragment.Visibility.PRIVATE, Fragment.Visibility.PUBLIC_UNLISTED, Fragment.Visibility.PUBLIC)
"""Which fragments to list to miss none."""

_OF_THE_MOMENT = frozenset(
    {"last_access", "user_supplied_info", "online_state", "seconds_since_online"}
    | {"robot_part_count", "organization_count", "only_used_by_owner"}
    | {"total_robot_usage", "total_organization_usage"}
    | {"total_external_robot_usage", "total_external_organization_usage"}
)
"""Fields of parts, fragments and registry items that change by themselves."""

UNCHANGED = "Nothing changes: it has these values already."
TOO_MUCH = (
    "What this would grant or get to run is more than a person can be shown at once, so nothing was done. Do it in "
    "several calls, each about less."
)
LOCKED_OUT = "Whatever signs in with it is locked out at once."
GONE_FOR_GOOD = "This cannot be undone."


def preview(tool: Tool, what: str, lines: Iterable[str], *, granted: Iterable[str] = (), **facts: Any) -> Preview:
    """The preview of a tool about `what`.

    Args:
        tool: The call.
        what: What it is about.
        lines: What else there is to say, of which the last may be cut.
        granted: What it grants, makes public or gets to run. These lines come first, and all of them are shown.
        facts: The other attributes of `Preview`.

    Raises:
        ToolError: It grants more than a person can be shown.
    """
    head = shorten(f"{tool.spec.title}: {what}", _LONGEST_HEAD)
    return Preview(lines=bounded(lines, [head, *granted]), **facts)


def bounded(lines: Iterable[str], whole: Sequence[str] = ()) -> tuple[str, ...]:
    """The first of the lines, after those that are kept whole: at most 40 with 4,000 characters in all.

    What is left out is counted, and hashed: a confirmation is bound to the lines, so they have to differ
    when anything differs.

    Raises:
        ToolError: There is no room for what has to be kept whole.
    """
    lines = [*whole, *(shorten(line, _LONGEST_LINE) for line in lines)]
    size, kept = 0, 0
    for line in lines:
        size += len(line) + 1
        if size > MOST_CHARACTERS - _LAST_LINE:
            break
        kept += 1
    too_long = any(len(line) > _LONGEST_WHOLE for line in whole)
    if kept == len(lines) <= MOST_LINES and not too_long:
        return tuple(lines)
    kept = min(kept, MOST_LINES) - 1
    if kept < len(whole) or too_long:
        raise ToolError(TOO_MUCH)
    rest = "\n".join(lines[kept:])
    digest = hashlib.sha256(rest.encode(errors="surrogatepass")).hexdigest()[:16]
    return (*lines[:kept], f"… and {count(len(lines) - kept, 'more line')} that do not fit here (SHA-256 {digest})")


def room(beside: Sequence[str]) -> tuple[int, int]:
    """How many lines, and characters of lines with their ends, a preview surely holds beside others and its first."""
    taken = sum(len(shorten(line, _LONGEST_LINE)) + 1 for line in beside)
    return MOST_LINES - 1 - len(beside), MOST_CHARACTERS - _LAST_LINE - (_LONGEST_WHOLE + 1) - taken


def state_of(*things: str | Message) -> tuple[str, ...]:
    """What a confirmation is bound to (see `Preview.bound`) where lines say less: one digest, in whatever order.

    Of messages it takes all that is configured, and nothing of how things are at the moment.
    """
    digests = sorted(hashlib.sha256(_configured(thing)).digest() for thing in things)
    return (hashlib.sha256(b"".join(digests)).hexdigest(),)


def _configured(thing: str | Message) -> bytes:
    if isinstance(thing, str):
        return thing.encode()
    settings = copy.deepcopy(thing)
    for name in _OF_THE_MOMENT.intersection(field.name for field in settings.DESCRIPTOR.fields):
        settings.ClearField(name)
    return bytes(settings.SerializeToString(deterministic=True))


def count(number: int, what: str) -> str:
    """Such as `3 machines`, `1 machine`, `no machines`."""
    said = f"{number:,}" if number else "no"
    return f"{said} {what}{'' if number == 1 else 's'}"


def listing(names: Sequence[str]) -> str:
    """The names, quoted, as far as a line holds them."""
    shown = ", ".join(quoted(name, 40) for name in names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else shown


def counted(what: str, names: Iterable[str]) -> str:
    """Such as `2 machines: 'rover-1', 'rover-2'.`, in an order that does not depend on the service's."""
    names = sorted(names)
    return f"{count(len(names), what)}: {listing(names)}." if names else f"No {what}s."


def exact(text: str, length: int = _LONGEST_VALUE, *, sent: bool = False) -> str:
    """A value, quoted and on one line, in which whatever cannot be seen is escaped: two that differ look different,
    unless what differs is a credential or beyond `length` characters.

    Args:
        text: The value.
        length: How much of it is shown.
        sent: Whether it is what a caller sends, of which nothing is hidden that could be more than a credential.
    """
    safe = without_secrets_sent(text) if sent else without_secrets(text)
    return visible(repr(shorten(safe, length)))


def change(what: str, old: str, new: str | None, *, whole: bool = False) -> list[str]:
    """The line that says how a value changes; none if it does not, or if it is not touched.

    A confirmation has to be bound to the old value besides, of which the line may show a part.

    Args:
        what: What the value is.
        old: As it is.
        new: As it shall be; None leaves it alone.
        whole: Whether the new value is shown to its end, however long it is.
    """
    # Whether a credential is the one that is stored is told to nobody who sends one to find out.
    if new is None or (new == old and without_secrets(old) == old):
        return []
    return [f"{what}: {exact(old)} → {exact(new, len(new) if whole else _LONGEST_VALUE, sent=True)}"]


def visibility_change(old: str, new: str | None) -> list[str]:
    """Who gains or loses sight of something, by the short names of the two visibilities; nothing if nobody."""
    if new is None or new == old:
        return []
    effect = {
        "public": "it becomes PUBLIC: anyone can see and use it",
        "public_unlisted": "it becomes PUBLIC, though not listed: anyone who has its id can see and use it",
    }.get(new, "it becomes private: everyone outside its organization loses it")
    return [f"Visibility: {old} → {new}; {effect}."]


def visibility_name(visibility: wire.Visibility) -> str:
    """The short name of who may see a registry item."""
    return enum_names(wire.Visibility.DESCRIPTOR)[visibility]


def usage(item: wire.RegistryItem | wire.Module) -> tuple[str, ...]:
    """How much a registry item is used, as a fact of the moment: others begin and cease to use it at any time."""
    machines, organizations = item.total_robot_usage, item.total_organization_usage
    lines = [f"It is used by {count(machines, 'machine')} of {count(organizations, 'organization')}."]
    if isinstance(item, wire.RegistryItem) and item.total_external_organization_usage:
        others = count(item.total_external_organization_usage, "other organization")
        lines.append(f"Of those, {count(item.total_external_robot_usage, 'machine')} of {others}.")
    return tuple(lines)


def day(time: Timestamp) -> str:
    """The date of a time, in UTC."""
    return rfc3339(time.seconds)[:10]


def deleted_secret(secret_id: str, secrets: Sequence[wire.SharedSecret]) -> tuple[list[str], tuple[str, ...]]:
    """What becomes of whoever signs in with one of a location's or a part's secrets when it is deleted.

    Returns:
        Lines, and which secrets there are, as a digest.
    """
    bound = state_of(*(f"{secret.id} {secret.state}" for secret in secrets))
    found = next((secret for secret in secrets if secret.id == secret_id), None)
    if found is None:
        return ["There is no such secret."], bound
    left = count(len(secrets) - 1, "other secret")
    return [f"It was created on {day(found.created_on)}; {left} would be left.", LOCKED_OUT], bound


def stale(known: datetime | None, saved: datetime | None) -> list[str]:
    """The line that says so if a configuration was saved after the state that an edit of it is based on."""
    late = known is not None and saved is not None and known < saved
    return ["It was saved since the state that this change is based on: the service refuses."] if late else []


def earlier(known: datetime | None, saved: datetime | None) -> datetime | None:
    """The `last_known_update` for a call, from what the caller gave and when the target was really last saved.

    A caller's that is too old must stay, so that the service refuses; one that lies ahead would let
    edits pass that nobody has seen.
    """
    return min(known, saved) if known and saved else known or saved


def owner_of(location: wire.Location) -> str:
    """The id of the organization that a location belongs to; others may share it."""
    primary = (item.organization_id for item in location.organizations if item.primary)
    return location.primary_org_identity.id or next(primary, "")


async def shared_with(app: AppClient, location: wire.Location) -> list[str]:
    """The lines that say which other organizations use a location, and so whatever comes into it."""
    owner, organizations = owner_of(location), await app.get_organizations_with_access_to_location(location.id)
    others = sorted(named("organization", item.name, item.id) for item in organizations if item.id != owner)
    return [f"It is shared with {other}, which gets access too." for other in others]


def online_state(record: wire.Robot | wire.RobotPart | wire.PartSummary) -> str:
    """In words whether a machine or part is online."""
    return enum_names(wire.OnlineState.DESCRIPTOR)[record.online_state].replace("_", " ")
