"""Records: read-only views over the messages of the wire contract.

Nothing is copied: an attribute is decoded when it is read, and `proto` is the message itself, with every
field that the server sent, also those without an attribute here.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast, overload

from google.protobuf.message import Message

from viam_mcp.app.records._redact import shown
from viam_mcp.app.records._struct import to_plain
from viam_mcp.app.records._time import to_datetime
from viam_mcp.proto import app, common

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

__all__ = ["Fragment", "FragmentHistoryEntry", "LogEntry", "Page", "Record", "RobotPart", "RobotPartHistoryEntry"]

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class Page(list[T]):
    """A list that is one page of a longer answer, with the token of the next page.

    Attributes:
        next_page_token: What gets the next page, empty after the last one.
    """

    def __init__(self, items: Iterable[T] = (), next_page_token: str = "") -> None:
        super().__init__(items)
        self.next_page_token = next_page_token


class _Attribute(Generic[T]):
    """A field of the message under the attribute's own name, decoded by `read`."""

    def __init__(self, read: Callable[[Any, str], T], doc: str) -> None:
        self._read = read
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, record: None, owner: type) -> Self: ...
    @overload
    def __get__(self, record: Record[Any], owner: type) -> T: ...
    def __get__(self, record: Record[Any] | None, owner: type) -> T | Self:
        return self if record is None else self._read(record.proto, self._name)

    def __set__(self, record: Record[Any], value: object) -> None:
        raise AttributeError(f"{type(record).__name__}.{self._name} is read-only: it is a view over a message")


def _text(doc: str) -> _Attribute[str]:
    return _Attribute(getattr, doc)


def _flag(doc: str) -> _Attribute[bool]:
    return _Attribute(getattr, doc)


def _number(doc: str) -> _Attribute[int]:
    return _Attribute(getattr, doc)


def _optional(convert: Callable[[Any], T], doc: str) -> _Attribute[T | None]:
    def read(message: Message, name: str) -> T | None:
        return convert(getattr(message, name)) if message.HasField(name) else None

    return _Attribute(read, doc)


def _time(doc: str) -> _Attribute[datetime | None]:
    return _optional(to_datetime, doc)


def _config(doc: str) -> _Attribute[dict[str, Any] | None]:
    return _optional(to_plain, doc)


def _each(convert: Callable[[Any], T], doc: str) -> _Attribute[list[T]]:
    return _Attribute(lambda message, name: [convert(item) for item in getattr(message, name)], doc)


def _itself(value: T) -> T:
    return value


class Record(Generic[M]):
    """A view over one message. Equal to another one over an equal message; shown without credentials."""

    __slots__ = ("_proto",)
    __hash__: ClassVar[None]  # type: ignore[assignment]  # messages can change, so neither has a hash

    def __init__(self, proto: M) -> None:
        """Make a view over `proto`, which is not copied."""
        self._proto = proto

    @property
    def proto(self) -> M:
        """The message itself, to be read only."""
        return self._proto

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record) or type(other) is not type(self):
            return NotImplemented
        return bool(self._proto == other._proto)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown(self._proto)})"


class RobotPart(Record["app.RobotPart"]):
    """One computer of a machine, with the configuration that its viam-server runs.

    Times are aware UTC, None when unset, and cut to microseconds.
    """

    __slots__ = ()

    id = _text("UUID of the part.")
    name = _text("Name, unique within the machine.")
    dns_name = _text("The name as it stands in `fqdn`.")
    secret = _text("A secret with which the part signs in; kept by the server for older machines. A credential.")
    robot = _text("Id of the machine that it belongs to.")
    location_id = _text("Id of the machine's location, ten characters.")
    robot_config = _config("Its configuration, None when the server sent none.")
    robot_config_json: _Attribute[str | None] = _optional(_itself, "Its configuration as JSON text, keys in order.")
    last_access = _time("When it last asked the app for its configuration.")
    user_supplied_info = _config("What the machine tells about itself.")
    main_part = _flag("Whether it is the part that the machine is reached by.")
    fqdn = _text("Name by which it is reached from anywhere.")
    local_fqdn = _text("Name by which it is reached in its own network.")
    created_on = _time("When it was made.")
    secrets: _Attribute[list[app.SharedSecret]] = _each(_itself, "Its secrets, at most two of them enabled.")
    last_updated = _time("When its configuration last changed: what `last_known_update` is compared with.")
    online_state: _Attribute[app.OnlineState] = _Attribute(getattr, "Whether it has been seen lately.")
    seconds_since_online = _number("Seconds since it was last seen.")

    @classmethod
    def from_proto(cls, robot_part: app.RobotPart) -> Self:
        """Return the record over `robot_part`."""
        return cls(robot_part)


class LogEntry(Record["common.LogEntry"]):
    """One entry of a machine part's log. The time is aware UTC, None when unset, and cut to microseconds."""

    __slots__ = ()

    host = _text("Name of the computer that wrote it.")
    level = _text("debug, info, warn or error.")
    time = _time("When it was written, by the machine's clock.")
    logger_name = _text("The logger that wrote it.")
    message = _text("What it says.")
    caller = _config("Where in the program it was written: File, Line and more; None when unknown.")
    stack = _text("The stack trace, if any.")
    fields: _Attribute[list[dict[str, Any]]] = _each(to_plain, "What was attached to it.")

    @classmethod
    def from_proto(cls, log_entry: common.LogEntry) -> Self:
        """Return the record over `log_entry`."""
        return cls(log_entry)


class Fragment(Record["app.Fragment"]):
    """A named piece of configuration that many machines use.

    Times are aware UTC, None when unset, and cut to microseconds.
    """

    __slots__ = ()

    class Visibility(str, Enum):  # noqa: UP042 - `str()` of a member is part of the API
        """Who may see a fragment."""

        PRIVATE = "private"
        """The members of its organization."""
        PUBLIC = "public"
        """Everybody, and it is listed."""
        PUBLIC_UNLISTED = "public_unlisted"
        """Everybody who knows its id; it is not listed."""
        UNSPECIFIED = "unspecified"
        """The server did not say."""

        @classmethod
        def from_proto(cls, visibility: app.FragmentVisibility) -> Fragment.Visibility:
            """Return the member for the wire's value; UNSPECIFIED for one that is newer than this program."""
            known = app.FragmentVisibility.DESCRIPTOR.values_by_number.get(visibility)
            short = known.name.removeprefix("FRAGMENT_VISIBILITY_") if known else "UNSPECIFIED"
            return cls[short]

        def to_proto(self) -> app.FragmentVisibility:
            """Return the wire's value."""
            return cast("app.FragmentVisibility", app.FragmentVisibility.Value(f"FRAGMENT_VISIBILITY_{self.name}"))

    id = _text("UUID of the fragment.")
    name = _text("Name, unique within the organization.")
    fragment = _config("The configuration, None when the server sent none.")
    organization_owner = _text("Id of the organization that it belongs to.")
    public = _flag("Whether everybody may see it; `visibility` says more.")
    created_on = _time("When it was made.")
    organization_name = _text("Name of the organization that it belongs to.")
    robot_part_count = _number("How many parts use it.")
    organization_count = _number("How many organizations use it.")
    only_used_by_owner = _flag("Whether no other organization uses it.")
    visibility: _Attribute[Fragment.Visibility] = _Attribute(
        lambda message, name: Fragment.Visibility.from_proto(getattr(message, name)), "Who may see it."
    )
    last_updated = _time("When it last changed: what `last_known_update` is compared with.")
    revision = _text("Name of the revision that this is.")

    @classmethod
    def from_proto(cls, fragment: app.Fragment) -> Self:
        """Return the record over `fragment`."""
        return cls(fragment)


class FragmentHistoryEntry(Record["app.FragmentHistoryEntry"]):
    """What a fragment was before an edit, who made the edit and when. The time is aware UTC."""

    __slots__ = ()

    fragment = _text("Id of the fragment.")
    edited_on = _time("When it was edited.")
    edited_by: _Attribute[app.AuthenticatorInfo] = _Attribute(getattr, "Who edited it, and how they had signed in.")
    old = _optional(Fragment.from_proto, "The fragment before the edit, None when the server sent none.")
    revision = _text("Name of the revision.")

    @classmethod
    def from_proto(cls, fragment_history_entry: app.FragmentHistoryEntry) -> Self:
        """Return the record over `fragment_history_entry`."""
        return cls(fragment_history_entry)


class RobotPartHistoryEntry(Record["app.RobotPartHistoryEntry"]):
    """What a part was before an edit, who made the edit and when. The time is aware UTC."""

    __slots__ = ()

    part = _text("Id of the part.")
    robot = _text("Id of the machine.")
    when = _time("When it was edited.")
    old = _optional(RobotPart.from_proto, "The part before the edit, None when the server sent none.")
    edited_by: _Attribute[app.AuthenticatorInfo] = _Attribute(getattr, "Who edited it, and how they had signed in.")

    @classmethod
    def from_proto(cls, robot_part_history_entry: app.RobotPartHistoryEntry) -> Self:
        """Return the record over `robot_part_history_entry`."""
        return cls(robot_part_history_entry)
