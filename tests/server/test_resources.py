"""Resources: what an assistant reads often, by URI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from grpclib.const import Status
from mcp.shared.exceptions import MCPError

from tests.sandbox.client import named
from viam_mcp.sandbox import Fault
from viam_mcp.server._resources import RESOURCE_NOT_FOUND, RESOURCES
from viam_mcp.tools import TOOLS

if TYPE_CHECKING:
    from mcp import Client

    from tests.conftest import Mode
    from tests.server.conftest import Connected
    from viam_mcp.sandbox import Sandbox

NOBODY = "00000000-0000-4000-8000-000000000000"

LOGS = "viam://parts/{robot_part_id}/logs{?errors_only,filter,cursor,limit}"
QUESTION = "viam://confirmations/{operation_id}{?cursor}"


async def read(client: Client, uri: str) -> Any:
    """The JSON of a resource."""
    result = await client.read_resource(uri)
    (content,) = result.contents
    assert isinstance(content, types.TextResourceContents)
    assert (content.uri, content.mime_type) == (uri, "application/json")
    return json.loads(content.text)


def not_found(mode: Mode) -> int:
    return RESOURCE_NOT_FOUND if mode == "legacy" else types.INVALID_PARAMS


async def test_what_there_is_to_read_is_listed(client: Client) -> None:
    resources = (await client.list_resources()).resources
    templates = (await client.list_resource_templates()).resource_templates
    assert [resource.uri for resource in resources] == ["viam://organizations"]
    assert [template.uri_template for template in templates] == [
        "viam://locations/{id}",
        "viam://machines/{id}",
        "viam://parts/{id}/config",
        "viam://fragments/{id}",
        LOGS,
        QUESTION,
    ]
    assert templates.pop().mime_type == "text/plain"
    described: list[Any] = [*resources, *templates]
    assert all(one.description and one.title and one.mime_type == "application/json" for one in described)


async def test_the_lists_say_how_long_they_hold(client: Client, mode: Mode) -> None:
    lists: list[Any] = [
        await client.list_resources(),
        await client.list_resource_templates(),
        await client.list_prompts(),
    ]
    hours = [one.ttl_ms / 3_600_000 for one in lists]
    assert hours == ([0, 0, 0] if mode == "legacy" else [1, 1, 1])
    assert (await client.read_resource("viam://organizations")).ttl_ms == 0


async def test_organizations_read_as_the_tool_lists_them(client: Client) -> None:
    listed = await client.call_tool("list_organizations", {})
    assert await read(client, "viam://organizations") == listed.structured_content
    assert listed.structured_content["organizations"]


async def test_a_location_reads_with_its_machines(client: Client, sandbox: Sandbox) -> None:
    location_id = named(sandbox, "locations", "Warehouse 1")
    data = await read(client, f"viam://locations/{location_id}")
    assert data["location"]["name"] == "Warehouse 1"
    states = {robot["name"]: robot["online_state"] for robot in data["robots"]}
    assert states == {"picker-01": "online", "picker-02": "online", "picker-03": "offline"}


async def test_a_machine_reads_with_its_parts_and_without_their_configurations(
    client: Client, sandbox: Sandbox
) -> None:
    machine_id = named(sandbox, "robots", "picker-01")
    data = await read(client, f"viam://machines/{machine_id}")
    assert data["robot"]["name"] == "picker-01"
    assert [part["name"] for part in data["parts"]] == ["picker-01-main", "picker-01-arm", "picker-01-cameras"]
    assert [part["main_part"] for part in data["parts"]] == [True, False, False]
    assert not any("robot_config" in part for part in data["parts"])


async def test_a_part_s_configuration_reads_as_the_tool_gives_it(client: Client, sandbox: Sandbox) -> None:
    part_id = named(sandbox, "parts", "picker-01-main")
    whole = (await client.call_tool("get_robot_part", {"robot_part_id": part_id})).structured_content
    data = await read(client, f"viam://parts/{part_id}/config")
    assert data == {
        "part": {name: whole["part"][name] for name in ("id", "name", "robot", "last_updated", "robot_config")}
    }
    assert data["part"]["robot_config"]["components"]


async def test_a_fragment_reads_as_the_tool_gives_it(client: Client, sandbox: Sandbox) -> None:
    fragment_id = named(sandbox, "fragments", "picker-base")
    whole = await client.call_tool("get_fragment", {"fragment_id": fragment_id})
    assert await read(client, f"viam://fragments/{fragment_id}") == whole.structured_content


async def test_no_resource_of_the_demo_fleet_holds_a_credential(client: Client, sandbox: Sandbox) -> None:
    secrets = {row["secret"] for row in sandbox.store.all("SELECT secret FROM secrets")}
    secrets |= {row["key"] for row in sandbox.store.all("SELECT key FROM api_keys")}
    texts = []
    for table, uri in {
        "organizations": "viam://organizations",
        "locations": "viam://locations/{}",
        "robots": "viam://machines/{}",
        "parts": "viam://parts/{}/config",
        "fragments": "viam://fragments/{}",
    }.items():
        ids = [row["id"] for row in sandbox.store.all(f"SELECT id FROM {table}")]
        texts += [json.dumps(await read(client, uri.format(identifier))) for identifier in ids]
    assert len(secrets) > 20
    assert any("[redacted]" in text for text in texts)
    assert not any(secret in text for secret in secrets for text in texts)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("viam://machines/picker-01", "has not the form of a machine's id"),
        ("viam://machines/", "has not the form of a machine's id"),
        ("viam://machines/%2e%2e", "has not the form of a machine's id"),
        (f"viam://machines/{NOBODY}/parts", "There are: viam://organizations, viam://locations/{id}"),
        (f"viam://robots/{NOBODY}", "There are: viam://organizations"),
        ("viam://machines/{id}", "has not the form of a machine's id"),
        ("file:///etc/passwd", "There are: viam://organizations"),
        ("viam://organizations/", "There are: viam://organizations"),
        ("viam://machines/" + "a" * 100_000, "There is no resource"),
        ("viam://locations/abc\u202edefghij", "There is no resource"),
        (f"viam://machines/{NOBODY}", "was not found"),
        ("viam://locations/zzzzzzzzzz", "was not found"),
        (f"viam://parts/{NOBODY}/config", "was not found"),
        (f"viam://fragments/{NOBODY}", "was not found"),
    ],
)
async def test_a_uri_that_stands_for_nothing_is_refused_with_the_era_s_code(
    client: Client, mode: Mode, uri: str, words: str
) -> None:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert caught.value.error.code == not_found(mode)
    assert caught.value.error.data == {"uri": uri}
    assert words in caught.value.error.message
    assert len(caught.value.error.message) < 1_000
    assert "\u202e" not in caught.value.error.message


async def test_a_malformed_id_does_not_reach_the_fleet(client: Client, sandbox: Sandbox) -> None:
    with pytest.raises(MCPError):
        await client.read_resource("viam://machines/picker-01")
    assert not sandbox.calls["GetRobot"]


async def test_a_failure_of_the_fleet_is_told_and_is_not_taken_for_something_missing(
    client: Client, sandbox: Sandbox
) -> None:
    machine_id = named(sandbox, "robots", "picker-01")
    sandbox.faults.add("GetRobot", Fault(status=Status.PERMISSION_DENIED, message="operators only"))
    with pytest.raises(MCPError) as caught:
        await client.read_resource(f"viam://machines/{machine_id}")
    assert caught.value.error.code == types.INTERNAL_ERROR
    assert "PERMISSION_DENIED" in caught.value.error.message


@pytest.mark.parametrize(
    "query",
    [
        "errors_only=maybe",
        "limit=0",
        "limit=many",
        "limit=100000",
        "cursor=nonsense",
        "cursor=" + "a" * 20_000,
        "filter=" + "a" * 10_001,
    ],
)
async def test_bad_arguments_in_a_uri_are_invalid_params(client: Client, sandbox: Sandbox, query: str) -> None:
    part_id = named(sandbox, "parts", "picker-01-main")
    with pytest.raises(MCPError) as caught:
        await client.read_resource(f"viam://parts/{part_id}/logs?{query}")
    assert caught.value.error.code == types.INVALID_PARAMS
    assert len(caught.value.error.message) < 1_000


async def test_the_log_of_what_is_no_part_s_id_is_invalid_params(client: Client, sandbox: Sandbox) -> None:
    for name in ("picker-01", "%00", "2da16acb"):
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"viam://parts/{name}/logs")
        assert caught.value.error.code == types.INVALID_PARAMS
    assert not sandbox.calls["TailRobotPartLogs"]


async def test_a_resource_is_offered_only_with_its_tools(connected: Connected, sandbox: Sandbox, mode: Mode) -> None:
    fragment_id = named(sandbox, "fragments", "picker-base")
    async with connected(exclude_tools=["get_fragment", "list_organizations", "get_robot_parts"]) as client:
        assert (await client.list_resources()).resources == []
        templates = (await client.list_resource_templates()).resource_templates
        assert [one.uri_template for one in templates] == [
            "viam://locations/{id}",
            "viam://parts/{id}/config",
            LOGS,
            QUESTION,
        ]
        for uri in ("viam://organizations", f"viam://fragments/{fragment_id}"):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert caught.value.error.code == not_found(mode)
    assert not sandbox.calls["GetFragment"]
    assert not sandbox.calls["ListOrganizations"]


async def test_a_long_list_says_how_to_go_on_and_that_way_works(connected: Connected, sandbox: Sandbox) -> None:
    location_id = named(sandbox, "locations", "First Location")
    names = [f"crate-{number:02}" for number in range(20)]
    async with connected(max_result_bytes=1_024) as client:
        for name in names:
            await client.call_tool("new_robot", {"name": name, "location_id": location_id})
        data = await read(client, f"viam://locations/{location_id}")
        (advice,) = [warning for warning in data["warnings"] if "list_robots" in warning]
        arguments = {
            "location_id": location_id,
            "fields": ["id", "name", "online_state", "last_access"],
            "cursor": "…",
        }
        assert json.dumps(arguments, ensure_ascii=False) in advice
        robots, cursor = data["robots"], data["next_cursor"]
        assert 0 < len(robots) < 20
        while cursor is not None:
            following = (await client.call_tool("list_robots", {**arguments, "cursor": cursor})).structured_content
            robots, cursor = [*robots, *following["robots"]], following.get("next_cursor")
    assert [robot["name"] for robot in robots] == names


async def test_a_configuration_beyond_the_budget_is_cut_with_a_warning(connected: Connected, sandbox: Sandbox) -> None:
    part_id = named(sandbox, "parts", "picker-01-main")
    async with connected(max_result_bytes=1_024) as client:
        data = await read(client, f"viam://parts/{part_id}/config")
    assert len(json.dumps(data, separators=(",", ":"))) < 2_048
    assert data["warnings"]


def test_every_resource_only_reads() -> None:
    assert {TOOLS[read.tool].spec.effect for resource in RESOURCES for read in resource.reads} == {"read"}


async def test_a_scope_holds_for_resources_too(connected: Connected, sandbox: Sandbox) -> None:
    inside, outside = (named(sandbox, "locations", name) for name in ("Warehouse 2", "Warehouse 1"))
    async with connected(policy=f'[scope]\nlocations = ["{inside}"]\n') as client:
        assert (await read(client, f"viam://locations/{inside}"))["location"]["name"] == "Warehouse 2"
        for uri in (f"viam://locations/{outside}", f"viam://machines/{named(sandbox, 'robots', 'picker-01')}"):
            with pytest.raises(MCPError, match="outside of what this server is limited to"):
                await client.read_resource(uri)


async def test_no_credential_is_in_a_resource_even_where_the_tool_may_reveal_it(
    connected: Connected, sandbox: Sandbox
) -> None:
    part_id = named(sandbox, "parts", "picker-01-main")
    secret = sandbox.store.value("SELECT secret FROM secrets WHERE part_id = ?", part_id)
    policy = '[[rules]]\ntools = ["get_robot_part"]\naction = "allow"\nsecrets = "reveal"\n'
    async with connected(policy=policy) as client:
        tool = await client.call_tool("get_robot_part", {"robot_part_id": part_id})
        assert secret in json.dumps(tool.structured_content["part"]["robot_config"])
        data = await read(client, f"viam://parts/{part_id}/config")
    assert secret not in json.dumps(data)
    assert data["part"]["robot_config"]["cloud"]["secret"] == "[redacted]"


async def test_nobody_is_asked_to_confirm_what_a_client_reads_by_itself(connected: Connected, sandbox: Sandbox) -> None:
    machine_id = named(sandbox, "robots", "picker-01")
    async with connected(policy='[[rules]]\ntools = ["get_robot"]\naction = "confirm"\n') as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"viam://machines/{machine_id}")
    message = caught.value.error.message
    assert "get_robot needs a confirmation, which a call of that tool asks for" in message
    assert "token" not in message
