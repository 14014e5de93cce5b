"""Machines: their names, places, presence and summaries."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from grpclib.const import Status

from tests.sandbox.client import Calls, connected, named, refused, role
from viam_mcp.proto import app
from viam_mcp.sandbox.demo import fleet

if TYPE_CHECKING:
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"
SECOND = 1_000_000_000


@pytest.fixture
async def org(call: Calls) -> str:
    created = await call("CreateOrganization", name="Machines")
    return str(created.organization.id)


@pytest.fixture
async def hall(call: Calls, org: str) -> str:
    """The id of a location without machines."""
    return str((await call("CreateLocation", organization_id=org, name="Hall")).location.id)


@pytest.fixture
async def rover(call: Calls, hall: str) -> str:
    """The id of a new machine in the hall."""
    return str((await call("NewRobot", name="rover", location=hall)).id)


async def names_in(call: Calls, location: str) -> list[str]:
    return [robot.name for robot in (await call("ListRobots", location_id=location)).robots]


async def test_a_new_machine_awaits_setup_and_has_a_main_part(call: Calls, hall: str, rover: str) -> None:
    robot = (await call("GetRobot", id=rover)).robot
    assert (robot.id, robot.name, robot.location) == (rover, "rover", hall)
    assert robot.online_state == app.ONLINE_STATE_AWAITING_SETUP
    assert not robot.HasField("last_access")
    (part,) = (await call("GetRobotParts", robot_id=rover)).parts
    assert (part.name, part.main_part, part.robot_config_json) == ("rover-main", True, "{}")


async def test_a_new_machine_starts_with_the_default_fragments_of_its_organization(
    call: Calls, org: str, hall: str
) -> None:
    fragment = (await call("CreateFragment", organization_id=org, name="base")).fragment
    gone = (await call("CreateFragment", organization_id=org, name="gone")).fragment
    imports = [app.FragmentImport(fragment_id=gone.id), app.FragmentImport(fragment_id=fragment.id, prefix="p")]
    await call("UpdateOrganization", organization_id=org, default_fragments=app.FragmentImportList(fragments=imports))
    await call("DeleteFragment", id=gone.id)
    robot_id = (await call("NewRobot", name="rover", location=hall)).id
    (part,) = (await call("GetRobotParts", robot_id=robot_id)).parts
    assert part.robot_config_json == f'{{"fragments": [{{"id": "{fragment.id}", "prefix": "p"}}]}}'
    assert (await call("GetFragment", id=fragment.id)).fragment_usage.machines == 1


@pytest.mark.parametrize("name", ["", "two words", "-rover", "rover/1", "röver", "x" * 59])
async def test_a_machines_name_must_fit_into_an_address(call: Calls, hall: str, name: str) -> None:
    with refused(Status.INVALID_ARGUMENT, "machine name", "1 to 58"):
        await call("NewRobot", name=name, location=hall)


async def test_the_longest_machine_name_leaves_room_for_its_main_part(call: Calls, hall: str) -> None:
    robot_id = (await call("NewRobot", name="x" * 58, location=hall)).id
    (part,) = (await call("GetRobotParts", robot_id=robot_id)).parts
    assert len(part.dns_name) == 63


@pytest.mark.usefixtures("rover")
async def test_two_machines_of_a_location_do_not_have_one_name(call: Calls, org: str, hall: str) -> None:
    with refused(Status.ALREADY_EXISTS, "rover", "Hall"):
        await call("NewRobot", name="rover", location=hall)
    yard = (await call("CreateLocation", organization_id=org, name="Yard")).location.id
    assert (await call("NewRobot", name="rover", location=yard)).id


@pytest.mark.parametrize(
    ("location", "status"),
    [("0123456789", Status.NOT_FOUND), ("", Status.INVALID_ARGUMENT), ("Hall", Status.INVALID_ARGUMENT)],
)
async def test_a_machine_needs_a_location_that_exists(call: Calls, location: str, status: Status) -> None:
    with refused(status, location):
        await call("NewRobot", name="rover", location=location)


async def test_a_machine_is_renamed_where_it_is(call: Calls, hall: str, rover: str) -> None:
    robot = (await call("UpdateRobot", id=rover, name="walker", location=hall)).robot
    assert (robot.name, robot.location) == ("walker", hall)
    again = (await call("UpdateRobot", id=rover, name="walker", location=hall)).robot
    assert again == robot


async def test_a_machine_moves_with_its_parts_addresses(call: Calls, org: str, rover: str) -> None:
    yard = (await call("CreateLocation", organization_id=org, name="Yard")).location.id
    assert (await call("UpdateRobot", id=rover, name="rover", location=yard)).robot.location == yard
    (part,) = (await call("GetRobotParts", robot_id=rover)).parts
    assert (part.location_id, part.fqdn) == (yard, f"rover-main.{yard}.viam.cloud")


async def test_a_machine_does_not_move_to_where_its_name_is_taken(call: Calls, org: str, rover: str) -> None:
    yard = (await call("CreateLocation", organization_id=org, name="Yard")).location.id
    await call("NewRobot", name="rover", location=yard)
    with refused(Status.ALREADY_EXISTS, "rover", "Yard"):
        await call("UpdateRobot", id=rover, name="rover", location=yard)


async def test_machines_move_only_within_their_organization(call: Calls, rover: str) -> None:
    other = (await call("CreateOrganization", name="Other")).organization.id
    (away,) = (await call("ListLocations", organization_id=other)).locations
    with refused(Status.INVALID_ARGUMENT, "rover", "within their organization"):
        await call("UpdateRobot", id=rover, name="rover", location=away.id)


async def test_a_machine_is_deleted_with_its_parts_and_the_roles_on_it(call: Calls, org: str, rover: str) -> None:
    (part,) = (await call("GetRobotParts", robot_id=rover)).parts
    await call("CreateKey", name="rover", authorizations=[role(org, "robot", rover)])
    await call("DeleteRobot", id=rover)
    with refused(Status.NOT_FOUND, rover):
        await call("GetRobot", id=rover)
    with refused(Status.NOT_FOUND, part.id):
        await call("GetRobotPart", id=part.id)
    assert not (await call("ListAuthorizations", organization_id=org, resource_ids=[rover])).authorizations


@pytest.mark.parametrize("rpc", ["GetRobot", "DeleteRobot"])
async def test_an_unknown_or_malformed_machine_id_is_refused(call: Calls, rpc: str) -> None:
    with refused(Status.NOT_FOUND, NOBODY):
        await call(rpc, id=NOBODY)
    with refused(Status.INVALID_ARGUMENT, "rover"):
        await call(rpc, id="rover")


async def test_a_machine_is_online_as_long_as_one_of_its_parts_is(call: Calls, sandbox: Sandbox, rover: str) -> None:
    arm = (await call("NewRobotPart", robot_id=rover, part_name="arm")).part_id
    sandbox.store.run("UPDATE parts SET online = 1 WHERE id = ?", arm)
    before = time.time_ns()
    robot = (await call("GetRobot", id=rover)).robot
    assert robot.online_state == app.ONLINE_STATE_ONLINE
    assert robot.seconds_since_online == 0
    assert before <= robot.last_access.seconds * SECOND + robot.last_access.nanos <= time.time_ns()


async def test_a_machine_that_is_gone_says_since_when(call: Calls, sandbox: Sandbox, rover: str) -> None:
    seen = time.time_ns() - 90 * SECOND
    arm = (await call("NewRobotPart", robot_id=rover, part_name="arm")).part_id
    sandbox.store.run("UPDATE parts SET last_access = ? WHERE id = ?", seen, arm)
    robot = (await call("GetRobot", id=rover)).robot
    assert robot.online_state == app.ONLINE_STATE_OFFLINE
    assert 90 <= robot.seconds_since_online < 100
    assert robot.last_access.seconds * SECOND + robot.last_access.nanos == seen
    main, other = (await call("GetRobotParts", robot_id=rover)).parts
    assert (main.online_state, other.online_state) == (app.ONLINE_STATE_AWAITING_SETUP, app.ONLINE_STATE_OFFLINE)


@pytest.mark.usefixtures("rover")
async def test_lists_are_by_name(call: Calls, hall: str) -> None:
    await call("NewRobot", name="arm", location=hall)
    assert await names_in(call, hall) == ["arm", "rover"]


@pytest.mark.usefixtures("rover")
async def test_machines_are_listed_for_locations_and_for_an_organization(call: Calls, org: str, hall: str) -> None:
    yard = (await call("CreateLocation", organization_id=org, name="Yard")).location.id
    await call("NewRobot", name="arm", location=yard)
    for_locations = (await call("ListRobotsForLocations", location_ids=[yard, hall])).robots
    assert [robot.name for robot in for_locations] == ["arm", "rover"]
    for_organization = (await call("ListRobotsForOrg", org_id=org)).robots
    assert {robot.name for robot in for_organization} == {"arm", "rover"}


async def test_a_key_for_one_machine_lists_that_machine_alone(
    call: Calls, sandbox: Sandbox, org: str, hall: str, rover: str
) -> None:
    secret = (await call("NewRobot", name="secret", location=hall)).id
    key = await call("CreateKey", name="rover", authorizations=[role(org, "robot", rover, "operator")])
    async with connected(sandbox, key.id, key.key) as holder:
        assert await names_in(holder, hall) == ["rover"]
        with refused(Status.NOT_FOUND, secret):
            await holder("GetRobot", id=secret)
        with refused(Status.PERMISSION_DENIED, "owner"):
            await holder("DeleteRobot", id=rover)


async def test_rentals_are_those_of_the_organization(call: Calls, sandbox: Sandbox, org: str, rover: str) -> None:
    assert not (await call("GetRoverRentalRobots", org_id=org)).robots
    sandbox.store.run("UPDATE robots SET rover_rental = 1 WHERE id = ?", rover)
    (rental,) = (await call("GetRoverRentalRobots", org_id=org)).robots
    (part,) = (await call("GetRobotParts", robot_id=rover)).parts
    assert (rental.robot_id, rental.robot_name, rental.robot_main_part_id) == (rover, "rover", part.id)


async def test_summaries_are_grouped_by_location(call: Calls, org: str, hall: str, rover: str) -> None:
    (summary,) = (await call("ListMachineSummaries", organization_id=org)).location_summaries
    assert (summary.location_id, summary.location_name) == (hall, "Hall")
    (machine,) = summary.machine_summaries
    assert (machine.machine_id, machine.machine_name) == (rover, "rover")
    (part,) = machine.part_summaries
    assert (part.part_name, part.is_main_part, part.dns_name) == ("rover-main", True, "rover-main")
    assert part.online_state == app.ONLINE_STATE_AWAITING_SETUP


async def test_summaries_are_filtered_by_fragment(call: Calls, org: str, hall: str, rover: str) -> None:
    await call("NewRobot", name="arm", location=hall)
    fragment = (await call("CreateFragment", organization_id=org, name="base")).fragment
    (part,) = (await call("GetRobotParts", robot_id=rover)).parts
    await call("UpdateRobotPart", id=part.id, name=part.name, robot_config_json=f'{{"fragments": ["{fragment.id}"]}}')
    found = await call("ListMachineSummaries", organization_id=org, fragment_ids=[fragment.id])
    (machine,) = found.location_summaries[0].machine_summaries
    assert machine.machine_name == "rover"
    assert [(one.id, one.name) for one in machine.part_summaries[0].fragments] == [(fragment.id, "base")]


@pytest.mark.usefixtures("rover")
async def test_summaries_are_filtered_by_location(call: Calls, org: str) -> None:
    yard = (await call("CreateLocation", organization_id=org, name="Yard")).location.id
    await call("NewRobot", name="arm", location=yard)
    found = await call("ListMachineSummaries", organization_id=org, location_ids=[yard])
    assert [summary.location_name for summary in found.location_summaries] == ["Yard"]


async def test_summaries_are_limited_across_locations(call: Calls, sandbox: Sandbox) -> None:
    tidewater = named(sandbox, "organizations", fleet.TIDEWATER)

    async def count(**fields: int) -> int:
        found = await call("ListMachineSummaries", organization_id=tidewater, **fields)
        return sum(len(summary.machine_summaries) for summary in found.location_summaries)

    every = await count()
    assert every > 4
    assert await count(limit=4) == 4
    assert await count(limit=1000) == every


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_below_one_is_refused(call: Calls, org: str, limit: int) -> None:
    with refused(Status.INVALID_ARGUMENT, "limit"):
        await call("ListMachineSummaries", organization_id=org, limit=limit)


async def test_machines_of_several_locations_and_of_an_organization_are_listed_in_one_call(
    sandbox: Sandbox, app: AppClient
) -> None:
    places = [named(sandbox, "locations", name) for name in ("Warehouse 2", "Test Lab")]
    assert [robot.name for robot in await app.list_robots_for_locations(places)] == [
        "hauler-01", "hauler-02", "rental-rover",
    ]  # fmt: skip
    everything = await app.list_robots_for_org(named(sandbox, "organizations", fleet.TIDEWATER))
    assert len(everything) == 10
    assert {"picker-01", "pilot-sorter-01"} <= {robot.name for robot in everything}


async def test_a_summary_says_which_versions_a_part_runs(sandbox: Sandbox, app: AppClient) -> None:
    summaries = await app.list_machine_summaries(named(sandbox, "organizations", fleet.TIDEWATER))
    parts = {
        part.part_name: part
        for location in summaries
        for machine in location.machine_summaries
        for part in machine.part_summaries
    }
    running = parts["picker-01-main"]
    assert (running.os, running.platform) == ("linux", "linux/arm64")
    assert (running.viam_server_version.major, running.viam_agent_version.major) == ("0.101.0", "0.20.4")
    assert not parts["dock-counter-02-main"].HasField("viam_server_version")
