"""Records, and how times and free-form objects are read and written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viam_mcp.app import (
    APIKeyAuthorization,
    Fragment,
    FragmentHistoryEntry,
    LogEntry,
    Page,
    RobotPart,
    RobotPartHistoryEntry,
)
from viam_mcp.app.records._struct import to_plain, to_struct
from viam_mcp.app.records._time import to_datetime, to_timestamp
from viam_mcp.proto import app as wire
from viam_mcp.proto import common
from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STAMP = {"seconds": int(NOON.timestamp()), "nanos": 123_456_789}
READ = NOON.replace(microsecond=123_456)

PART = wire.RobotPart(
    id="p", name="arm", dns_name="arm", secret="s3cret-1", robot="r", location_id="l", last_access=STAMP,
    robot_config={"n": 3, "x": 1.5, "null": None, "list": [True, {"deep": "s3cret-3"}]},
    user_supplied_info={"os": "linux"}, main_part=True, fqdn="arm.l.viam.cloud", local_fqdn="arm.local",
    created_on=STAMP, secrets=[{"id": "s", "secret": "s3cret-2"}], last_updated=STAMP,
    online_state=wire.ONLINE_STATE_ONLINE, seconds_since_online=7, robot_config_json='{"n": "s3cret-4"}',
)  # fmt: skip
FRAGMENT = wire.Fragment(
    id="f", name="arm", fragment={"a": 1}, organization_owner="o", public=True, created_on=STAMP,
    organization_name="org", robot_part_count=1, organization_count=2, only_used_by_owner=True,
    visibility=wire.FRAGMENT_VISIBILITY_PUBLIC_UNLISTED, last_updated=STAMP, revision="r1",
)  # fmt: skip
ENTRY = common.LogEntry(
    host="h", level="info", time=STAMP, logger_name="rdk", message="m\x1b[31m", caller={"File": "f.go", "Line": 3},
    stack="main()", fields=[{"k": 1}, {}],
)  # fmt: skip
BY = wire.AuthenticatorInfo(value="ada")

RECORDS: list[tuple[Any, Any, dict[str, Any]]] = [
    (RobotPart, PART, {
        "id": "p", "name": "arm", "dns_name": "arm", "secret": "s3cret-1", "robot": "r", "location_id": "l",
        "robot_config": {"n": 3, "x": 1.5, "null": None, "list": [True, {"deep": "s3cret-3"}]},
        "last_access": READ, "user_supplied_info": {"os": "linux"}, "main_part": True, "fqdn": "arm.l.viam.cloud",
        "local_fqdn": "arm.local", "created_on": READ, "secrets": list(PART.secrets), "last_updated": READ,
        "online_state": wire.ONLINE_STATE_ONLINE, "seconds_since_online": 7, "robot_config_json": '{"n": "s3cret-4"}',
    }),
    (LogEntry, ENTRY, {
        "host": "h", "level": "info", "time": READ, "logger_name": "rdk", "message": "m\x1b[31m",
        "caller": {"File": "f.go", "Line": 3}, "stack": "main()", "fields": [{"k": 1}, {}],
    }),
    (Fragment, FRAGMENT, {
        "id": "f", "name": "arm", "fragment": {"a": 1}, "organization_owner": "o", "public": True, "created_on": READ,
        "organization_name": "org", "robot_part_count": 1, "organization_count": 2, "only_used_by_owner": True,
        "visibility": Fragment.Visibility.PUBLIC_UNLISTED, "last_updated": READ, "revision": "r1",
    }),
    (FragmentHistoryEntry, wire.FragmentHistoryEntry(
        fragment="f", edited_on=STAMP, old=FRAGMENT, edited_by=BY, revision="r1"), {
        "fragment": "f", "edited_on": READ, "old": Fragment(FRAGMENT), "edited_by": BY, "revision": "r1",
    }),
    (RobotPartHistoryEntry, wire.RobotPartHistoryEntry(part="p", robot="r", when=STAMP, old=PART, edited_by=BY), {
        "part": "p", "robot": "r", "when": READ, "old": RobotPart(PART), "edited_by": BY,
    }),
]  # fmt: skip
NAMES = [record.__name__ for record, _, _ in RECORDS]


@pytest.mark.parametrize(("record", "message", "attributes"), RECORDS, ids=NAMES)
def test_a_record_reads_its_message(record: Any, message: Any, attributes: dict[str, Any]) -> None:
    view = record.from_proto(message)
    assert {name: getattr(view, name) for name in attributes} == attributes
    assert view.proto is message


@pytest.mark.parametrize(("record", "message", "attributes"), RECORDS, ids=NAMES)
def test_what_is_unset_reads_as_none_or_empty(record: Any, message: Any, attributes: dict[str, Any]) -> None:
    view = record.from_proto(type(message)())
    optional = {name for name, value in attributes.items() if isinstance(value, (datetime, dict)) or name == "old"}
    assert all(getattr(view, name) is None for name in optional)
    assert not any(getattr(view, name) for name in attributes.keys() - optional - {"visibility", "edited_by"})


@pytest.mark.parametrize(("record", "message", "attributes"), RECORDS, ids=NAMES)
def test_a_record_is_equal_to_one_over_an_equal_message_and_cannot_be_changed(
    record: Any, message: Any, attributes: dict[str, Any]
) -> None:
    same = type(message)()
    same.CopyFrom(message)
    assert record(message) == record(same)
    assert record(message) != record(type(message)())
    assert record(message) != message
    for name in attributes:
        with pytest.raises(AttributeError, match="read-only"):
            setattr(record(message), name, "other")


def test_records_of_different_kinds_differ() -> None:
    assert RobotPart(wire.RobotPart()) != Fragment(wire.Fragment())


@pytest.mark.parametrize(("record", "message", "_attributes"), RECORDS, ids=NAMES)
def test_a_record_shows_no_credential_and_no_configuration(record: Any, message: Any, _attributes: Any) -> None:
    shown = repr(record(message))
    assert shown.startswith(f"{record.__name__}(")
    assert "s3cret" not in shown
    assert "\x1b" not in shown


def test_a_record_shows_what_identifies_it() -> None:
    shown = repr(RobotPart(PART))
    assert "id='p', name='arm', secret=[redacted]" in shown
    assert "secrets=[SharedSecret(id='s', secret=[redacted])]" in shown
    assert "online_state=ONLINE_STATE_ONLINE" in shown


@pytest.mark.parametrize("visibility", list(Fragment.Visibility))
def test_a_visibility_goes_to_the_wire_and_back(visibility: Fragment.Visibility) -> None:
    assert Fragment.Visibility.from_proto(visibility.to_proto()) is visibility
    assert isinstance(visibility, str)
    assert visibility == visibility.name.lower()


def test_a_visibility_from_the_future_is_unspecified() -> None:
    assert Fragment(wire.Fragment(visibility=99)).visibility is Fragment.Visibility.UNSPECIFIED  # type: ignore[arg-type]


def test_a_page_is_a_list_that_knows_how_to_go_on() -> None:
    assert Page([1, 2], "next") == [1, 2]
    assert Page([1, 2], "next").next_page_token == "next"
    assert Page().next_page_token == ""


def test_an_authorization_for_a_key_can_be_compared() -> None:
    assert APIKeyAuthorization(role="owner", resource_type="robot", resource_id="r") == APIKeyAuthorization(
        "owner", "robot", "r"
    )


ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))])
FIRST, LAST = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001 - the zone is drawn


@given(st.datetimes(FIRST, LAST, timezones=ZONES))
def test_a_time_survives_the_wire(time: datetime) -> None:
    stamp = to_timestamp(time, "t")
    assert stamp is not None
    assert to_datetime(stamp) == time
    assert 0 <= stamp.nanos < 1_000_000_000


def test_what_is_finer_than_a_microsecond_is_cut_off() -> None:
    assert to_datetime(Timestamp(seconds=0, nanos=999_999_999)) == datetime(1970, 1, 1, 0, 0, 0, 999_999, UTC)


def test_the_zero_time_of_go_is_never() -> None:
    assert to_datetime(Timestamp(seconds=-62_135_596_800)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_what_json_can_carry_survives_the_wire(config: dict[str, Any]) -> None:
    struct = to_struct(config, "config")
    assert struct is not None
    parsed = type(struct).FromString(struct.SerializeToString())
    assert to_plain(parsed) == config


def test_whole_numbers_come_back_as_integers() -> None:
    plain = to_plain(to_struct({"i": 3, "f": 3.5, "b": True, "big": 1e300}, "c"))  # type: ignore[arg-type]
    assert [(value, type(value)) for _, value in sorted(plain.items())] == [
        (True, bool), (1e300, float), (3.5, float), (3, int),
    ]  # fmt: skip


def test_an_empty_configuration_is_there_and_none_is_not() -> None:
    request = wire.UpdateRobotPartRequest(robot_config=to_struct({}, "c"))
    assert request.HasField("robot_config")
    assert to_struct(None, "c") is None


def nested(levels: int) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for _ in range(levels):
        config = {"a": config}
    return config


def test_nesting_that_protobuf_can_read_again_is_taken() -> None:
    struct = to_struct(nested(30), "c")
    # The answer that wraps a configuration most.
    answer = wire.GetRobotPartHistoryResponse(history=[{"old": {"robot_config": struct}}])
    assert wire.GetRobotPartHistoryResponse.FromString(answer.SerializeToString()) == answer


@pytest.mark.parametrize(("config", "complaint"), [
    ({"a": {"b": [1, b"x"]}}, r"c\.a\.b\[1\] is of type bytes"),
    ({"a": 2**53 + 1}, r"c\.a is 9007199254740993, which would not arrive exactly"),
    ({"a": float("inf")}, r"c\.a is inf"),
    ({1: 2}, r"c has the key 1"),
    ({"a": "\ud800"}, r"c\.a holds half of a surrogate pair"),
    ({"\ud800": 1}, r"c holds half of a surrogate pair"),
    ({"a": NOON}, r"c\.a is of type datetime"),
    (nested(31), r"is nested deeper than"),
])  # fmt: skip
def test_what_would_not_arrive_is_refused_with_its_path(config: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        to_struct(config, "c")


def test_a_configuration_that_holds_itself_is_refused() -> None:
    config: dict[str, Any] = {}
    config["again"] = config
    with pytest.raises(ValueError, match="nested deeper"):
        to_struct(config, "c")
