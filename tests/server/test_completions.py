"""Completion: what is typed, and which ids and names come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import mcp_types as types
import pytest
from grpclib.const import Status
from mcp.shared.exceptions import MCPError

from tests.sandbox.client import named
from viam_mcp.sandbox import Fault

if TYPE_CHECKING:
    from mcp import Client

    from tests.server.conftest import Connected
    from viam_mcp.sandbox import Sandbox

MACHINE, LOCATION = "viam://machines/{id}", "viam://locations/{id}"
PART, FRAGMENT = "viam://parts/{id}/config", "viam://fragments/{id}"


async def template(client: Client, uri: str, text: str) -> types.Completion:
    """What completes the id in a template."""
    reference = types.ResourceTemplateReference(uri=uri)
    return (await client.complete(reference, {"name": "id", "value": text})).completion


async def prompt(client: Client, name: str, argument: str, text: str) -> types.Completion:
    """What completes an argument of a prompt."""
    return (await client.complete(types.PromptReference(name=name), {"name": argument, "value": text})).completion


@pytest.mark.parametrize(
    ("uri", "table", "text", "names"),
    [
        (MACHINE, "robots", "pick", ["picker-01", "picker-02", "picker-03"]),
        (MACHINE, "robots", "CELL", ["demo-cell-01"]),
        (LOCATION, "locations", "warehouse", ["Warehouse 1", "Warehouse 2"]),
        (LOCATION, "locations", " pilot ", ["Brightwater Pilot"]),
        (PART, "parts", "picker-03", ["picker-03-arm", "picker-03-main"]),
        (PART, "parts", "thermal", ["cold-inspector-01-thermal"]),
        (FRAGMENT, "fragments", "picker", ["picker-base"]),
    ],
)
async def test_a_template_completes_to_the_ids_of_what_has_the_text_in_its_name(
    client: Client, sandbox: Sandbox, uri: str, table: str, text: str, names: list[str]
) -> None:
    completion = await template(client, uri, text)
    assert completion.values == [named(sandbox, table, name) for name in names]
    assert (completion.total, completion.has_more) == (len(names), False)


@pytest.mark.parametrize(
    ("uri", "table", "name"),
    [
        (MACHINE, "robots", "hauler-02"),
        (LOCATION, "locations", "Test Lab"),
        (PART, "parts", "picker-01-arm"),
        (FRAGMENT, "fragments", "bench-cell"),
    ],
)
async def test_the_beginning_of_an_id_completes_to_the_id(
    client: Client, sandbox: Sandbox, uri: str, table: str, name: str
) -> None:
    identifier = named(sandbox, table, name)
    assert (await template(client, uri, identifier[:9])).values == [identifier]
    assert (await template(client, uri, identifier)).values == [identifier]


async def test_every_value_can_be_read(client: Client) -> None:
    for uri in (MACHINE, LOCATION, PART, FRAGMENT):
        values = (await template(client, uri, "")).values
        assert values
        for value in values[:3]:
            assert (await client.read_resource(uri.replace("{id}", value))).contents


async def test_names_that_begin_with_the_text_come_before_those_that_contain_it(
    client: Client, sandbox: Sandbox
) -> None:
    robots = [named(sandbox, "robots", name) for name in ("demo-cell-01", "rental-rover")]
    renamed = {"name": "old-rental-rover", "location_id": named(sandbox, "locations", "Test Lab")}
    created = await client.call_tool("new_robot", renamed)
    completion = await template(client, MACHINE, "rental")
    assert completion.values == [robots[1], created.structured_content["robot_id"]]


async def test_nothing_matches_and_nothing_is_offered(client: Client) -> None:
    completion = await template(client, MACHINE, "no such machine")
    assert (completion.values, completion.total, completion.has_more) == ([], 0, False)


async def test_prompts_complete_to_names_which_tell_more(client: Client) -> None:
    completion = await prompt(client, "diagnose_machine", "machine", "pick")
    assert completion.values == ["picker-01", "picker-02", "picker-03"]
    assert (await prompt(client, "fleet_report", "organization", "tide")).values == ["Tidewater Robotics"]
    assert (await prompt(client, "onboard_machine", "fragment", "hauler")).values == ["hauler-drive-tuning"]
    assert "picker-01-arm" in (await prompt(client, "rotate_credentials", "part", "picker-01")).values


async def test_prompts_complete_to_ids_where_the_name_would_not_do(client: Client, sandbox: Sandbox) -> None:
    first = named(sandbox, "robots", "picker-01")
    twin = await client.call_tool(
        "new_robot", {"name": "picker-01", "location_id": named(sandbox, "locations", "Bench A")}
    )
    completion = await prompt(client, "diagnose_machine", "machine", "picker-0")
    ids = sorted([first, twin.structured_content["robot_id"]])
    assert completion.values == [*ids, "picker-02", "picker-03"]
    assert (await prompt(client, "diagnose_machine", "machine", first[:8])).values == [first]


async def test_free_text_is_not_completed(client: Client) -> None:
    assert (await prompt(client, "onboard_machine", "name", "pick")).values == []


@pytest.mark.parametrize(
    ("reference", "argument", "words"),
    [
        (types.ResourceTemplateReference(uri="viam://robots/{id}"), "id", "no resource template 'viam://robots/{id}'"),
        (types.ResourceTemplateReference(uri=MACHINE), "name", "no argument 'name'"),
        (types.PromptReference(name="diagnose"), "machine", "no prompt 'diagnose'"),
        (types.PromptReference(name="diagnose_machine"), "part", "no argument 'part'"),
    ],
)
async def test_what_cannot_be_completed_is_refused_with_what_can(
    client: Client, reference: types.PromptReference, argument: str, words: str
) -> None:
    with pytest.raises(MCPError) as caught:
        await client.complete(reference, {"name": argument, "value": ""})
    assert caught.value.error.code == types.INVALID_PARAMS
    assert words in caught.value.error.message
    assert "There are: " in caught.value.error.message


async def test_at_most_a_hundred_values_are_given_and_all_are_counted(client: Client, sandbox: Sandbox) -> None:
    location_id = named(sandbox, "locations", "First Location")
    for number in range(103):
        await client.call_tool("new_robot", {"name": f"crate-{number:03}", "location_id": location_id})
    completion = await template(client, MACHINE, "crate")
    assert (len(completion.values), completion.total, completion.has_more) == (100, 103, True)


async def test_a_long_list_is_read_to_its_end(connected: Connected, sandbox: Sandbox) -> None:
    location_id = named(sandbox, "locations", "First Location")
    async with connected(max_result_bytes=1_024) as client:
        for number in range(40):
            await client.call_tool("new_robot", {"name": f"crate-{number:03}", "location_id": location_id})
        completion = await template(client, MACHINE, "crate")
    assert (len(completion.values), completion.has_more) == (40, False)


async def test_parts_of_a_large_fleet_are_looked_for_where_they_are_likeliest(client: Client, sandbox: Sandbox) -> None:
    location_id = named(sandbox, "locations", "First Location")
    for number in range(60):
        await client.call_tool("new_robot", {"name": f"crate-{number:03}", "location_id": location_id})
    completion = await template(client, PART, "picker-03-m")
    assert completion.values == [named(sandbox, "parts", "picker-03-main")]
    assert (completion.total, completion.has_more) == (None, True)
    assert sandbox.calls["GetRobotParts"] <= 50


async def test_key_strokes_do_not_list_the_fleet_again(client: Client, sandbox: Sandbox) -> None:
    for text in ("p", "pi", "pic", "pick"):
        await template(client, MACHINE, text)
    await prompt(client, "diagnose_machine", "machine", "picker")
    locations = sandbox.store.value("SELECT count(*) FROM locations")
    assert sandbox.calls["ListRobots"] == locations
    assert sandbox.calls["ListOrganizations"] == 1


async def test_those_who_type_at_once_share_one_search(client: Client, sandbox: Sandbox) -> None:
    completions: list[types.Completion] = []

    async def complete(text: str) -> None:
        completions.append(await template(client, MACHINE, text))

    async with anyio.create_task_group() as tasks:
        for text in ("pick", "haul", "dock", "cell", "rover"):
            tasks.start_soon(complete, text)
    assert all(completion.values for completion in completions)
    assert sandbox.calls["ListOrganizations"] == 1


async def test_a_fleet_that_cannot_be_listed_is_told(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("ListOrganizations", Fault(status=Status.PERMISSION_DENIED))
    with pytest.raises(MCPError) as caught:
        await template(client, MACHINE, "pick")
    assert caught.value.error.code == types.INTERNAL_ERROR
    assert "PERMISSION_DENIED" in caught.value.error.message


async def test_what_could_be_listed_is_offered_when_a_location_could_not(client: Client, sandbox: Sandbox) -> None:
    sandbox.faults.add("ListRobots", Fault(status=Status.PERMISSION_DENIED))
    completion = await template(client, MACHINE, "")
    assert len(completion.values) >= 9
    assert (completion.total, completion.has_more) == (None, True)


async def test_what_may_not_be_listed_is_not_completed(connected: Connected, sandbox: Sandbox) -> None:
    async with connected(exclude_tools=["list_robots"]) as client:
        assert (await template(client, MACHINE, "pick")).values == []
        assert (await template(client, PART, "pick")).values == []
        assert len((await template(client, FRAGMENT, "picker")).values) == 1
    assert not sandbox.calls["ListRobots"]


async def test_a_scope_holds_for_completion_too(connected: Connected, sandbox: Sandbox) -> None:
    location_id = named(sandbox, "locations", "Warehouse 2")
    async with connected(policy=f'[scope]\nlocations = ["{location_id}"]\n') as client:
        assert (await template(client, MACHINE, "picker")).values == []
        haulers = [named(sandbox, "robots", name) for name in ("hauler-01", "hauler-02")]
        assert (await template(client, MACHINE, "")).values == haulers
        assert (await template(client, LOCATION, "")).values == [location_id]
