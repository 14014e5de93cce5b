"""Parts: configurations, their history, the main one, secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox.client import Calls, connected, named, refused, role
from viam_mcp.app import NotFound
from viam_mcp.proto import app
from viam_mcp.proto.google.protobuf.struct_pb2 import Struct
from viam_mcp.proto.google.protobuf.timestamp_pb2 import Timestamp
from viam_mcp.sandbox.rules.config import fill, parse, text_of

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def org(call: Calls) -> str:
    created = await call("CreateOrganization", name="Parts")
    return str(created.organization.id)


@pytest.fixture
async def robot(call: Calls, org: str) -> app.Robot:
    (location,) = (await call("ListLocations", organization_id=org)).locations
    created: app.Robot = (
        await call("GetRobot", id=(await call("NewRobot", name="rover", location=location.id)).id)
    ).robot
    return created


@pytest.fixture
async def part(call: Calls, robot: app.Robot) -> app.RobotPart:
    """The main part of a new machine."""
    (main,) = (await call("GetRobotParts", robot_id=robot.id)).parts
    found: app.RobotPart = main
    return found


def struct(**fields: Any) -> Struct:
    made = Struct()
    made.update(fields)
    return made


async def configure(call: Calls, part: app.RobotPart, text: str, **fields: Any) -> app.RobotPart:
    updated = await call("UpdateRobotPart", id=part.id, name=part.name, robot_config_json=text, **fields)
    now: app.RobotPart = updated.part
    return now


async def history(call: Calls, part: app.RobotPart, **fields: Any) -> app.GetRobotPartHistoryResponse:
    found: app.GetRobotPartHistoryResponse = await call("GetRobotPartHistory", id=part.id, **fields)
    return found


async def test_a_part_has_its_addresses_and_its_first_secret(robot: app.Robot, part: app.RobotPart) -> None:
    assert (part.robot, part.location_id, part.dns_name) == (robot.id, robot.location, "rover-main")
    assert part.fqdn == f"rover-main.{robot.location}.viam.cloud"
    assert part.local_fqdn == f"rover-main.{robot.location}.local.viam.cloud"
    assert [secret.secret for secret in part.secrets] == [part.secret]


async def test_a_dns_name_is_lowercase_with_dashes(call: Calls, robot: app.Robot) -> None:
    part_id = (await call("NewRobotPart", robot_id=robot.id, part_name="Left_Arm")).part_id
    assert (await call("GetRobotPart", id=part_id)).part.dns_name == "left-arm"


async def test_the_text_of_a_configuration_is_kept_as_it_was_sent(call: Calls, part: app.RobotPart) -> None:
    text = '{"z": 1,  "a": {"big": 9007199254740992, "half": 0.5, "none": null}}'
    await configure(call, part, text)
    response = await call("GetRobotPart", id=part.id)
    assert response.config_json == response.part.robot_config_json == text
    assert response.part.robot_config == struct(z=1, a={"big": 9007199254740992, "half": 0.5, "none": None})


async def test_the_text_wins_over_the_struct(call: Calls, part: app.RobotPart) -> None:
    updated = await configure(call, part, '{"from": "text"}', robot_config=struct(**{"from": "struct"}))
    assert updated.robot_config_json == '{"from": "text"}'


async def test_whole_numbers_of_a_struct_become_integers(call: Calls, part: app.RobotPart) -> None:
    config = struct(speed=3, gain=0.25, nested=[{"pin": 7}])
    updated = (await call("UpdateRobotPart", id=part.id, name=part.name, robot_config=config)).part
    assert updated.robot_config_json == '{"gain": 0.25, "nested": [{"pin": 7}], "speed": 3}'


async def test_without_a_configuration_an_update_leaves_the_present_one(call: Calls, part: app.RobotPart) -> None:
    await configure(call, part, '{"a": 1}')
    renamed = (await call("UpdateRobotPart", id=part.id, name="brain")).part
    assert (renamed.name, renamed.robot_config_json) == ("brain", '{"a": 1}')


async def test_an_empty_struct_sets_an_empty_configuration(call: Calls, part: app.RobotPart) -> None:
    await configure(call, part, '{"a": 1}')
    emptied = (await call("UpdateRobotPart", id=part.id, name=part.name, robot_config=Struct())).part
    assert emptied.robot_config_json == "{}"
    assert emptied.HasField("robot_config") and not emptied.robot_config.fields


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "must be a JSON object, not a list"),
        ("null", "must be a JSON object, not null"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1e999}', "beyond"),
        ('{"a": 9007199254740993}', "send it as text"),
        ('{"a": ' + "9" * 5000 + "}", "thousands of digits"),
        ('{"a": "\\ud800"}', "surrogate"),
        ('{"a": ' + "[" * 31 + "]" * 31 + "}", "30 levels"),
        ('{"a": ' + "[" * 200_000, "30 levels"),
        ('{"fragments": "x"}', "must be a list"),
        ('{"fragments": [7]}', "'7'"),
        ('{"fragments": ["x"]}', "UUID"),
    ],
    ids=lambda value: value[:24],
)
async def test_what_is_no_configuration_is_refused_and_nothing_changes(
    call: Calls, part: app.RobotPart, text: str, reason: str
) -> None:
    with refused(Status.INVALID_ARGUMENT, reason):
        await call("UpdateRobotPart", id=part.id, name="renamed", robot_config_json=text)
    assert (await call("GetRobotPart", id=part.id)).part == part
    assert not (await history(call, part)).history


@pytest.mark.parametrize(
    ("value", "reason"),
    [(float("nan"), "not a number"), (float("inf"), "infinite"), (json.loads("[" * 30 + "]" * 30), "30 levels")],
    ids=["not a number", "infinite", "deep"],
)
async def test_a_struct_that_is_no_configuration_is_refused(
    call: Calls, part: app.RobotPart, value: Any, reason: str
) -> None:
    with refused(Status.INVALID_ARGUMENT, reason):
        await call("UpdateRobotPart", id=part.id, name=part.name, robot_config=struct(a=value))


async def test_a_configuration_at_the_deepest_level_arrives_in_history_too(call: Calls, part: app.RobotPart) -> None:
    text = '{"a": ' + "[" * 29 + "]" * 29 + "}"
    await configure(call, part, text)
    await configure(call, part, "{}")
    assert (await history(call, part)).history[0].old.robot_config_json == text


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_a_configuration_survives_the_way_through_a_struct(config: dict[str, Any]) -> None:
    message = Struct()
    fill(message, json.dumps(config))
    assert parse(text_of(message), "config") == config


async def test_a_new_reference_to_a_fragment_must_be_one_that_exists(call: Calls, part: app.RobotPart) -> None:
    with refused(Status.FAILED_PRECONDITION, NOBODY):
        await configure(call, part, f'{{"fragments": ["{NOBODY}"]}}')


async def test_a_new_reference_to_a_version_must_be_one_that_exists(call: Calls, org: str, part: app.RobotPart) -> None:
    fragment = (await call("CreateFragment", organization_id=org, name="base")).fragment
    with refused(Status.FAILED_PRECONDITION, "'stable'", "base"):
        await configure(call, part, f'{{"fragments": [{{"id": "{fragment.id}", "version": "stable"}}]}}')


async def test_a_fragment_that_is_gone_does_not_stand_in_the_way(call: Calls, org: str, part: app.RobotPart) -> None:
    fragment = (await call("CreateFragment", organization_id=org, name="base")).fragment
    await configure(call, part, f'{{"fragments": ["{fragment.id}"]}}')
    await call("DeleteFragment", id=fragment.id)
    text = f'{{"fragments": ["{fragment.id}"], "components": []}}'
    assert (await configure(call, part, text)).robot_config_json == text


async def test_every_update_is_later_than_the_one_before_in_whole_microseconds(
    call: Calls, part: app.RobotPart
) -> None:
    updates = [await configure(call, part, f'{{"n": {number}}}') for number in range(5)]
    times = [update.last_updated for update in (part, *updates)]
    nanoseconds = [time.seconds * 10**9 + time.nanos for time in times]
    assert nanoseconds == sorted(set(nanoseconds))
    assert not any(time % 1000 for time in nanoseconds)


async def test_an_update_with_the_last_known_update_succeeds(call: Calls, part: app.RobotPart) -> None:
    updated = await configure(call, part, '{"a": 1}', last_known_update=part.last_updated)
    assert updated.robot_config_json == '{"a": 1}'


async def test_a_stale_last_known_update_is_refused_and_says_who_changed_it(
    call: Calls, sandbox: Sandbox, part: app.RobotPart
) -> None:
    await configure(call, part, '{"a": 1}')
    with refused(Status.FAILED_PRECONDITION, part.name, f"API key {sandbox.api_key_id}", "read it again"):
        await configure(call, part, '{"a": 2}', last_known_update=part.last_updated)
    assert (await call("GetRobotPart", id=part.id)).config_json == '{"a": 1}'


async def test_history_has_the_newest_first_the_state_before_and_who_changed_it(
    call: Calls, sandbox: Sandbox, robot: app.Robot, part: app.RobotPart
) -> None:
    first = await configure(call, part, '{"a": 1}')
    second = (await call("UpdateRobotPart", id=part.id, name="brain")).part
    newest, oldest = (await history(call, part)).history
    assert (newest.old.name, newest.old.robot_config_json) == ("rover-main", '{"a": 1}')
    assert oldest.old.robot_config_json == "{}"
    assert (newest.when, oldest.when) == (second.last_updated, first.last_updated)
    assert (newest.part, newest.robot) == (part.id, robot.id)
    assert newest.edited_by.type == app.AUTHENTICATION_TYPE_API_KEY
    assert newest.edited_by.value == sandbox.api_key_id
    assert not newest.edited_by.is_deactivated


async def test_a_time_later_than_a_column_holds_is_later_than_every_edit(call: Calls, part: app.RobotPart) -> None:
    await call("UpdateRobotPart", id=part.id, name="renamed")
    late = Timestamp(seconds=253_402_300_799)
    assert len((await history(call, part, end=late)).history) == 1
    assert not (await history(call, part, start=late)).history


async def test_history_does_not_keep_secrets(call: Calls, part: app.RobotPart) -> None:
    await configure(call, part, '{"a": 1}')
    response = await history(call, part)
    assert part.secret.encode() not in response.SerializeToString()


async def test_an_editor_whose_key_is_gone_is_deactivated(
    call: Calls, sandbox: Sandbox, org: str, part: app.RobotPart
) -> None:
    key = await call("CreateKey", name="leaver", authorizations=[role(org, "organization", org)])
    async with connected(sandbox, key.id, key.key) as leaver:
        await configure(leaver, part, '{"a": 1}')
    await call("DeleteKey", id=key.id)
    (entry,) = (await history(call, part)).history
    assert (entry.edited_by.value, entry.edited_by.is_deactivated) == (key.id, True)


async def test_history_comes_in_pages_of_ten_that_leave_nothing_out(call: Calls, part: app.RobotPart) -> None:
    for number in range(12):
        await configure(call, part, f'{{"n": {number}}}')
    first = await history(call, part)
    second = await history(call, part, page_token=first.next_page_token)
    assert (len(first.history), len(second.history), second.next_page_token) == (10, 2, "")
    seen = [json.loads(entry.old.robot_config_json).get("n") for entry in [*first.history, *second.history]]
    assert seen == [*range(10, -1, -1), None]


async def test_a_page_that_ends_with_the_last_entry_has_no_next(call: Calls, part: app.RobotPart) -> None:
    for number in range(3):
        await configure(call, part, f'{{"n": {number}}}')
    page = await history(call, part, page_limit=3)
    assert (len(page.history), page.next_page_token) == (3, "")


@pytest.mark.parametrize("limit", [0, -5])
async def test_a_page_limit_below_one_is_refused(call: Calls, part: app.RobotPart, limit: int) -> None:
    with refused(Status.INVALID_ARGUMENT, "page_limit"):
        await history(call, part, page_limit=limit)


@pytest.mark.parametrize("token", ["x", "999999999", "٣"])
async def test_a_page_token_from_nowhere_is_refused(call: Calls, part: app.RobotPart, token: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "page_token"):
        await history(call, part, page_token=token)


async def test_history_is_cut_by_start_and_end(call: Calls, part: app.RobotPart) -> None:
    one, two, three = [(await configure(call, part, f'{{"n": {number}}}')).last_updated for number in range(3)]
    assert [entry.when for entry in (await history(call, part, start=two)).history] == [three, two]
    assert [entry.when for entry in (await history(call, part, end=two)).history] == [one]
    assert not (await history(call, part, start=two, end=two)).history


async def test_part_names_are_unique_within_a_machine(call: Calls, robot: app.Robot, part: app.RobotPart) -> None:
    arm = (await call("NewRobotPart", robot_id=robot.id, part_name="arm")).part_id
    with refused(Status.ALREADY_EXISTS, "arm", arm):
        await call("NewRobotPart", robot_id=robot.id, part_name="arm")
    with refused(Status.ALREADY_EXISTS, "arm"):
        await call("UpdateRobotPart", id=part.id, name="arm")


@pytest.mark.parametrize("name", ["", "two words", "x" * 64])
async def test_a_parts_name_must_fit_into_an_address(
    call: Calls, robot: app.Robot, part: app.RobotPart, name: str
) -> None:
    with refused(Status.INVALID_ARGUMENT, "part name", "1 to 63"):
        await call("NewRobotPart", robot_id=robot.id, part_name=name)
    with refused(Status.INVALID_ARGUMENT, "part name", "1 to 63"):
        await call("UpdateRobotPart", id=part.id, name=name)


async def test_parts_are_listed_the_main_one_first(call: Calls, robot: app.Robot) -> None:
    for name in ("wrist", "arm"):
        await call("NewRobotPart", robot_id=robot.id, part_name=name)
    parts = (await call("GetRobotParts", robot_id=robot.id)).parts
    assert [(one.name, one.main_part) for one in parts] == [("rover-main", True), ("arm", False), ("wrist", False)]


async def test_the_main_part_is_not_deleted_but_others_are(call: Calls, robot: app.Robot, part: app.RobotPart) -> None:
    arm = (await call("NewRobotPart", robot_id=robot.id, part_name="arm")).part_id
    with refused(Status.FAILED_PRECONDITION, "main part", "rover"):
        await call("DeleteRobotPart", part_id=part.id)
    await call("DeleteRobotPart", part_id=arm)
    with refused(Status.NOT_FOUND, arm):
        await call("GetRobotPart", id=arm)


async def test_marking_a_part_as_main_unsets_the_others(call: Calls, robot: app.Robot, part: app.RobotPart) -> None:
    arm = (await call("NewRobotPart", robot_id=robot.id, part_name="arm")).part_id
    for _ in range(2):
        await call("MarkPartAsMain", part_id=arm)
        mains = [one.id for one in (await call("GetRobotParts", robot_id=robot.id)).parts if one.main_part]
        assert mains == [arm]
    await call("DeleteRobotPart", part_id=part.id)


async def test_a_part_that_is_offline_stays_marked_for_restart(
    call: Calls, sandbox: Sandbox, part: app.RobotPart
) -> None:
    await call("MarkPartForRestart", part_id=part.id)
    assert sandbox.store.value("SELECT restart_requested FROM parts WHERE id = ?", part.id)


async def test_a_part_has_at_most_two_secrets(call: Calls, part: app.RobotPart) -> None:
    both = (await call("CreateRobotPartSecret", part_id=part.id)).part
    assert both.secret == both.secrets[0].secret != part.secret
    assert both.secrets[1:] == part.secrets[:]
    with refused(Status.FAILED_PRECONDITION, "2 secrets"):
        await call("CreateRobotPartSecret", part_id=part.id)


async def test_a_secret_is_deleted_unless_it_is_the_last(call: Calls, part: app.RobotPart) -> None:
    newest, first = (await call("CreateRobotPartSecret", part_id=part.id)).part.secrets
    await call("DeleteRobotPartSecret", part_id=part.id, secret_id=first.id)
    assert [secret.id for secret in (await call("GetRobotPart", id=part.id)).part.secrets] == [newest.id]
    with refused(Status.FAILED_PRECONDITION, "only secret"):
        await call("DeleteRobotPartSecret", part_id=part.id, secret_id=newest.id)
    with refused(Status.NOT_FOUND, first.id):
        await call("DeleteRobotPartSecret", part_id=part.id, secret_id=first.id)


async def test_operators_see_no_secrets_and_change_nothing_but_may_restart(
    call: Calls, sandbox: Sandbox, org: str, robot: app.Robot, part: app.RobotPart
) -> None:
    key = await call("CreateKey", name="operator", authorizations=[role(org, "organization", org, "operator")])
    async with connected(sandbox, key.id, key.key) as operator:
        for seen in (
            (await operator("GetRobotPart", id=part.id)).part,
            (await operator("GetRobotParts", robot_id=robot.id)).parts[0],
            (await operator("GetRobotPartByNameAndLocation", name=part.name, location_id=robot.location)).part,
        ):
            assert seen.id == part.id
            assert (seen.secret, len(seen.secrets)) == ("", 0)
        with refused(Status.PERMISSION_DENIED, "owner"):
            await configure(operator, part, "{}")
        with refused(Status.PERMISSION_DENIED, "owner"):
            await operator("CreateRobotPartSecret", part_id=part.id)
        await operator("MarkPartForRestart", part_id=part.id)


async def test_a_part_is_found_by_its_name_and_location(call: Calls, robot: app.Robot, part: app.RobotPart) -> None:
    found = await call("GetRobotPartByNameAndLocation", name="rover-main", location_id=robot.location)
    assert found.part == part
    with refused(Status.NOT_FOUND, "'nobody'", robot.location):
        await call("GetRobotPartByNameAndLocation", name="nobody", location_id=robot.location)


async def test_a_name_that_two_parts_of_a_location_have_is_ambiguous(call: Calls, robot: app.Robot) -> None:
    second = (await call("NewRobot", name="walker", location=robot.location)).id
    ids = [(await call("NewRobotPart", robot_id=one, part_name="arm")).part_id for one in (robot.id, second)]
    with refused(Status.FAILED_PRECONDITION, *ids):
        await call("GetRobotPartByNameAndLocation", name="arm", location_id=robot.location)


@pytest.mark.parametrize(
    ("rpc", "field"),
    [
        ("GetRobotPart", "id"),
        ("GetRobotPartHistory", "id"),
        ("UpdateRobotPart", "id"),
        ("DeleteRobotPart", "part_id"),
        ("MarkPartAsMain", "part_id"),
        ("MarkPartForRestart", "part_id"),
        ("CreateRobotPartSecret", "part_id"),
        ("DeleteRobotPartSecret", "part_id"),
    ],
)
async def test_an_unknown_or_malformed_part_id_is_refused(call: Calls, rpc: str, field: str) -> None:
    with refused(Status.NOT_FOUND, NOBODY):
        await call(rpc, **{field: NOBODY})
    with refused(Status.INVALID_ARGUMENT, "UUID"):
        await call(rpc, **{field: "arm"})


async def test_a_part_is_found_by_name_over_the_client(sandbox: Sandbox, app: AppClient) -> None:
    place = named(sandbox, "locations", "Warehouse 1")
    found = await app.get_robot_part_by_name_and_location("picker-01-arm", place)
    assert found.id == named(sandbox, "parts", "picker-01-arm")
    with pytest.raises(NotFound, match="'picker-09-arm'"):
        await app.get_robot_part_by_name_and_location("picker-09-arm", place)
