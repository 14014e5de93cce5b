"""How previews are worded: whole, names beside ids, and nothing from the fleet that acts on a terminal."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from viam_mcp.app import Fragment
from viam_mcp.proto import app as wire
from viam_mcp.tools.previews._model import Preview, headline, merged
from viam_mcp.tools.previews._values import folded, legible
from viam_mcp.tools.redaction._secrets import without_secrets, without_secrets_sent
from viam_mcp.tools.results._encode import enum_names, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from google.protobuf.message import Message

    from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp
    from viam_mcp.tools._tool import Tool
    from viam_mcp.tools.previews._model import Consequence

VISIBILITIES = (Fragment.Visibility.PRIVATE, Fragment.Visibility.PUBLIC_UNLISTED, Fragment.Visibility.PUBLIC)
"""Which fragments to list to miss none."""

_OF_THE_MOMENT = frozenset({"last_access", "user_supplied_info", "online_state", "seconds_since_online"})
"""Fields of parts that change by themselves."""

UNCHANGED = "Nothing changes: it has these values already."
LOCKED_OUT = "Programs and machines that sign in with it are locked out at once."
GONE_FOR_GOOD = "This cannot be undone."


def preview(
    tool: Tool,
    what: str,
    lines: Iterable[str],
    *,
    title: str = "",
    where: str = "",
    consequences: Iterable[Consequence] = (),
    **facts: Any,
) -> Preview:
    """Return the preview of a tool.

    Args:
        tool: The call.
        what: What it is about, whole.
        lines: What else there is to say: what it grants, makes public or gets to run comes first.
        title: What it is about, briefly, for the headline; `what` if nothing is said.
        where: Where that is, for the headline.
        consequences: What is grave about it. The first of the lines stands in the headline if nothing is.
        facts: The other attributes of `Preview`.
    """
    lines = [*lines]
    consequences = merged(consequences)
    return Preview(
        lines=(f"{tool.spec.title}: {what}", *lines),
        headline=headline(f"{tool.spec.title}: {title or what}", where, consequences, lines[0] if lines else ""),
        consequences=consequences,
        **facts,
    )


@dataclass(frozen=True)
class Called:
    """What a call is about.

    Attributes:
        what: Whole, with the ids and the place: `machine 'rover-1' (id) in location 'Hall 3' (id)`.
        title: Briefly, for the headline: `machine 'rover-1'`.
        where: Where it is, for the headline: `in location 'Hall 3'`.
        subject: Its name as it is stored.
        now: What of it changes by itself.
    """

    what: str
    title: str
    where: str
    subject: str
    now: tuple[str, ...] = ()

    def of(self, piece: str) -> Called:
        """Return what a call is about that is about a piece of it."""
        return replace(self, what=f"{piece} of {self.what}", title=f"{piece} of {self.title}")

    def preview(self, tool: Tool, lines: Iterable[str], **facts: Any) -> Preview:
        """Return the preview of a call about it; see `preview`."""
        known = {"title": self.title, "where": self.where, "subject": self.subject, "now": self.now}
        return preview(tool, self.what, lines, **{**known, **facts})


def state_of(*things: str | Message) -> tuple[str, ...]:
    """Return what a confirmation is bound to (see `Preview.bound`) where lines say less: one digest for all orders.

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


def listing(names: Iterable[str]) -> str:
    """Return all of the names, quoted."""
    return folded((legible(repr(name)) for name in names), counted=False)


def counted(what: str, names: Iterable[str]) -> str:
    """Return such as `2 machines: 'rover-1', 'rover-2'.`, in an order that does not depend on the service's."""
    names = sorted(names)
    return f"{count(len(names), what)}: {listing(names)}." if names else f"No {what}s."


def exact(text: str, *, sent: bool = False) -> str:
    """Return a value, quoted and on one line: two that differ look different, unless what differs is a credential.

    Args:
        text: The value.
        sent: Whether it is what a caller sends, of which nothing is hidden that could be more than a credential.
    """
    return legible(repr(without_secrets_sent(text) if sent else without_secrets(text)))


def change(what: str, old: str, new: str | None) -> list[str]:
    """Return the line that says how a value changes; none if it does not, or if it is not touched.

    A confirmation has to be bound to the old value besides, whose credentials the line does not show.

    Args:
        what: What the value is.
        old: As it is.
        new: As it shall be; None leaves it alone.
    """
    # Whether a credential is the one that is stored is told to nobody who sends one to find out.
    if new is None or (new == old and without_secrets(old) == old):
        return []
    return [f"{what}: {exact(old)} → {exact(new, sent=True)}"]


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


def usage(item: wire.RegistryItem | wire.Module) -> list[str]:
    """Return the lines that say how much a registry item is used, and by whom else."""
    machines, organizations = item.total_robot_usage, item.total_organization_usage
    lines = [f"It is used by {count(machines, 'machine')} of {count(organizations, 'organization')}."]
    if isinstance(item, wire.RegistryItem) and item.total_external_organization_usage:
        others = count(item.total_external_organization_usage, "other organization")
        lines.append(f"Of those, {count(item.total_external_robot_usage, 'machine')} of {others}.")
    return lines


def day(time: Timestamp) -> str:
    """The date of a time, in UTC."""
    return rfc3339(time.seconds)[:10]


def deleted_secret(secret_id: str, secrets: Sequence[wire.SharedSecret]) -> tuple[list[str], tuple[str, ...]]:
    """What becomes of those that sign in with one of a location's or a part's secrets when it is deleted.

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


def seen(record: wire.Robot | wire.RobotPart) -> tuple[str, ...]:
    """Return the line that says whether a machine or part is online, and when it was seen."""
    last = f", last seen on {rfc3339(record.last_access.seconds)}" if record.last_access.seconds else ""
    return (f"It is {online_state(record)}{last}.",)


def online_state(record: wire.Robot | wire.RobotPart | wire.PartSummary) -> str:
    """In words whether a machine or part is online."""
    return enum_names(wire.OnlineState.DESCRIPTOR)[record.online_state].replace("_", " ")
