"""Messages as JSON: the same information as protobuf's own mapping gives, in the words that people use."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import inf, nan
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.fleet import FORMATS
from tests.tools.messages import RESULTS, messages, struct
from viam_mcp.proto import POOL, app, common
from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp
from viam_mcp.tools.redaction._marks import NOT_SHOWN
from viam_mcp.tools.results._encode import encode, enum_names, rfc3339, schema_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

a_message = st.sampled_from(RESULTS).flatmap(messages)
SAID_TWICE = {"robot_config_json", "fragment_config_json"}


@given(a_message)
def test_the_encoder_says_what_protobufs_own_mapping_says(message: Message) -> None:
    assert encode(message, reveal=True) == expected(message, mapped(message))


@given(a_message, st.booleans())
def test_what_is_encoded_fits_the_schema(message: Message, reveal: bool) -> None:
    encoded = json.loads(json.dumps(encode(message, reveal=reveal), allow_nan=False))
    Draft202012Validator(schema_of(type(message)), format_checker=FORMATS).validate(encoded)
    assert encoded.keys() <= schema_of(type(message))["properties"].keys()


@given(a_message)
def test_redaction_changes_credentials_and_nothing_else(message: Message) -> None:
    assert encode(message) == redacted(message.DESCRIPTOR, encode(message, reveal=True))


@given(seconds=st.integers(-(2**62), 2**62), nanos=st.integers(0, 999_999_999))
def test_any_time_reads_as_rfc_3339(seconds: int, nanos: int) -> None:
    assert FORMATS.conforms(rfc3339(seconds, nanos), "date-time")


@pytest.mark.parametrize(
    ("seconds", "nanos", "text"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (-1, 500_000_000, "1969-12-31T23:59:59.500Z"),
        (1_767_225_600, 20_000, "2026-01-01T00:00:00.000020Z"),
        (1_767_225_600, 7, "2026-01-01T00:00:00.000000007Z"),
        (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
        (253_402_300_799, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
    ],
)
def test_times_keep_every_nanosecond(seconds: int, nanos: int, text: str) -> None:
    assert rfc3339(seconds, nanos) == text


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_reads_back_as_the_same_time(time: datetime) -> None:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    assert datetime.fromisoformat(rfc3339(stamp.seconds, stamp.nanos)) == time


def test_numbers_and_booleans_are_always_there_and_the_rest_only_where_it_is_set() -> None:
    encoded = encode(app.RobotPart())
    assert encoded == {"main_part": False, "seconds_since_online": 0}


def test_enums_read_as_people_write_them() -> None:
    assert encode(app.Robot(online_state=app.ONLINE_STATE_AWAITING_SETUP))["online_state"] == "awaiting_setup"
    assert enum_names(app.Visibility.DESCRIPTOR)[app.VISIBILITY_PUBLIC_UNLISTED] == "public_unlisted"


def test_an_enum_value_that_is_newer_than_the_contract_is_unspecified() -> None:
    robot = app.Robot()
    robot.ParseFromString(app.Robot(online_state=app.ONLINE_STATE_ONLINE).SerializeToString())
    setattr(robot, "online_state", 77)  # noqa: B010 - no name has this number
    assert encode(robot)["online_state"] == "unspecified"


def test_a_struct_keeps_integers_whole_and_null_null() -> None:
    config: dict[str, Any] = {
        "whole": 3,
        "half": 0.5,
        "none": None,
        "empty": {},
        "list": [1, "a", [True]],
        "huge": 1e300,
    }
    encoded = encode(app.RobotPart(robot_config=struct(config)))["robot_config"]
    assert encoded == config
    assert [type(encoded[key]) for key in ("whole", "half", "huge")] == [int, float, float]


def test_numbers_that_json_does_not_have_become_marks() -> None:
    encoded = encode(common.LogEntry(caller=struct({"values": [inf, -inf, nan]})))
    marks = [f"[not a JSON number: {number}]" for number in ("inf", "-inf", "nan")]
    assert encoded["caller"] == {"values": marks}
    assert all(NOT_SHOWN.fullmatch(mark) for mark in marks)


def test_a_configuration_is_given_once() -> None:
    part = app.RobotPart(robot_config_json='{"a": 1}', robot_config=struct({"a": 1}))
    assert encode(part)["robot_config"] == {"a": 1}
    assert "robot_config_json" not in encode(part)


BAD = "a\x1b[31mb\u202ec\r\n\u00ad"


def test_text_that_can_be_sent_back_stays_what_it_is() -> None:
    part = app.RobotPart(name=BAD, robot_config=struct({BAD: [BAD, {"x": BAD}]}))
    encoded = encode(part)
    assert encoded["name"] == BAD
    assert encoded["robot_config"] == {BAD: [BAD, {"x": BAD}]}
    assert encode(app.OrganizationMember(emails=[BAD]))["emails"] == [BAD]
    assert encode(app.FragmentImport(variables={BAD: BAD}))["variables"] == {BAD: BAD}


def test_text_of_a_log_entry_is_sanitized_wherever_it_stands() -> None:
    entry = common.LogEntry(host=BAD, message=BAD, stack=BAD, caller=struct({BAD: [BAD]}), fields=[struct({"x": BAD})])
    safe = "abc\n"
    assert encode(entry) == {
        "host": safe, "message": safe, "stack": safe, "caller": {safe: [safe]}, "fields": [{"x": safe}]
    }  # fmt: skip


def test_credentials_of_the_contract_are_redacted_unless_they_are_asked_for() -> None:
    auth = app.LocationAuth(secret="s1", secrets=[app.SharedSecret(id="i", secret="s2")])
    assert encode(auth) == {"secret": "[redacted]", "secrets": [{"id": "i", "secret": "[redacted]"}]}
    assert encode(auth, reveal=True) == {"secret": "s1", "secrets": [{"id": "i", "secret": "s2"}]}


def test_a_credential_that_is_not_set_is_not_claimed_to_be_there() -> None:
    assert "secret" not in encode(app.SharedSecret(id="i"))


def test_credentials_in_a_configuration_are_redacted_unless_they_are_asked_for() -> None:
    config = {
        "cloud": {"id": "i", "secret": "x", "empty_secret": ""},
        "auth": {"handlers": [{"config": {"secrets": ["x", "y"], "0ea1ff02-0000-4000-8000-0000000000ab": "x"}}]},
        "remotes": [{"address": "mqtt://user:x@host/t", "auth": {"credentials": {"payload": "x", "type": "t"}}}],
        "attributes": {"pa\u200bssword": "x", "pin_code": 7, "token": 123456, "enabled_token": True},
    }
    part = app.RobotPart(robot_config=struct(config))
    assert encode(part)["robot_config"] == {
        "cloud": {"id": "i", "secret": "[redacted]", "empty_secret": ""},
        "auth": {
            "handlers": [
                {
                    "config": {
                        "secrets": ["[redacted]", "[redacted]"],
                        "0ea1ff02-0000-4000-8000-0000000000ab": "[redacted]",
                    }
                }
            ]
        },
        "remotes": [
            {
                "address": "mqtt://[redacted]@host/t",
                "auth": {"credentials": {"payload": "[redacted]", "type": "t"}},
            }
        ],
        "attributes": {"pa\u200bssword": "[redacted]", "pin_code": 7, "token": "[redacted]", "enabled_token": True},
    }
    assert encode(part, reveal=True)["robot_config"]["remotes"] == config["remotes"]


@pytest.mark.parametrize("padding", [0, 2_000], ids=["small enough to be remembered", "larger"])
def test_what_is_logged_beside_a_message_is_redacted_each_time_that_it_is_logged(padding: int) -> None:
    fields = {"password": "s3cret", "header": "Authorization: Bearer s3cret-0123456789", "padding": "-" * padding}
    entry = common.LogEntry(fields=[struct(fields)], caller=struct(fields))
    revealed = [encode(entry, reveal=True) for _ in range(2)]
    assert [each["fields"] for each in revealed] == [[fields], [fields]]
    for _ in range(2):
        encoded = encode(entry)
        hidden = {**fields, "password": "[redacted]", "header": "Authorization: Bearer [redacted]"}
        assert encoded == {"fields": [hidden], "caller": hidden}
        encoded["caller"].clear()  # nobody else's answer


def mapped(message: Message) -> dict[str, Any]:
    """The message in protobuf's own JSON mapping."""
    return MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=POOL)


def expected(message: Message, said: dict[str, Any]) -> dict[str, Any]:
    """What protobuf's mapping says, in our words: short names of enums, integers as numbers, and no zero left out."""
    out: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        if field.name in SAID_TWICE:
            continue
        scalar = field.message_type is None and field.enum_type is None and field.cpp_type != field.CPPTYPE_STRING
        if field.name in said:
            out[field.name] = translated(field, said[field.name], getattr(message, field.name))
        elif scalar and not field.is_repeated and not field.has_presence:
            out[field.name] = 0
    return out


def translated(field: Any, said: Any, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        kind = field.message_type.fields_by_name["value"]
        return {key: one(kind, item, value[key]) for key, item in said.items()}
    if field.is_repeated:
        return [one(field, *pair) for pair in zip(said, value, strict=True)]
    return one(field, said, value)


def one(field: FieldDescriptor, said: Any, value: Any) -> Any:
    if field.message_type is not None:
        known = field.message_type.full_name.startswith("google.protobuf.")
        return said if known else expected(value, said)
    if field.enum_type is not None:
        return said.removeprefix(field.enum_type.values[0].name.removesuffix("UNSPECIFIED")).lower()
    return int(said) if field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_UINT64) else said


def redacted(descriptor: Any, encoded: Any) -> Any:
    """The encoded message with the contract's credentials redacted. Random configurations hold none by name."""
    out = {}
    for name, value in encoded.items():
        field = descriptor.fields_by_name[name]
        inner = field.message_type
        if field.GetOptions().debug_redact:
            out[name] = ["[redacted]"] * len(value) if field.is_repeated else "[redacted]"
        elif inner is None or inner.GetOptions().map_entry or inner.full_name.startswith("google.protobuf."):
            out[name] = value
        else:
            out[name] = [redacted(inner, item) for item in value] if field.is_repeated else redacted(inner, value)
    return out


def test_a_member_of_a_map_that_is_called_like_a_credential_is_one() -> None:
    message = app.FragmentImport(fragment_id="x", variables={"token": "s3cret", "speed": "2"})
    assert encode(message)["variables"] == {"token": "[redacted]", "speed": "2"}
    assert encode(message, reveal=True)["variables"] == {"token": "s3cret", "speed": "2"}
