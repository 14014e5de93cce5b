"""The three policies that are ready to use do what README says of them, with real calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.policy.conftest import Clock, Desk
from tests.stores import store_in
from viam_mcp.policy import Admission, Gate, Question, Refused, Way, parse
from viam_mcp.sandbox.demo.fleet import TIDEWATER
from viam_mcp.tools import TOOLS, Effect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

FOLDER = Path(__file__).parents[2] / "policies"

Decide = "Callable[..., Awaitable[str]]"


@pytest.fixture
def decide(app: AppClient, sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Awaitable[str]]]:
    """`await decide("observer", "get_robot", robot_id=…)`: allow, confirm, type, or why it is denied."""
    with store_in(tmp_path) as store:

        async def made(name: str, tool: str, /, way: Way = Way.PERSON, replace: str = "", **arguments: Any) -> str:
            text = (FOLDER / f"{name}.toml").read_text()
            policy = parse(text.replace("abcdefghij", replace) if replace else text, name)
            desk = Desk(Gate(policy, app, store), store, sandbox, tmp_path, Clock())
            try:
                decided = await desk.admit(TOOLS[tool].model_validate(arguments), way)
            except Refused as refused:
                return str(refused)
            if isinstance(decided, Question):
                return "type" if decided.type_name else "confirm"
            assert isinstance(decided, Admission)
            return "allow"

        yield made


@pytest.fixture
def fleet(sandbox: Sandbox) -> Callable[[str, str], str]:
    return lambda table, name: str(sandbox.store.value(f"SELECT id FROM {table} WHERE name = ?", name))


async def test_the_observer_looks_and_does_nothing_and_nobody_is_asked(decide: Any, fleet: Any) -> None:
    robot, part = {"robot_id": fleet("robots", "picker-01")}, {"robot_part_id": fleet("parts", "picker-01-arm")}
    assert await decide("observer", "get_robot", **robot) == "allow"
    assert await decide("observer", "get_robot_part_logs", **part) == "allow"
    for tool, arguments in (
        ("delete_robot", robot),
        ("mark_part_for_restart", part),
        ("get_robot_part", {**part, "dest": "a"}),
        ("new_robot", {"name": "x", "location_id": fleet("locations", "Test Lab")}),
    ):
        assert "is denied" in await decide("observer", tool, **arguments)


async def test_the_operator_confirms_types_names_and_gives_nobody_access(decide: Any, fleet: Any) -> None:
    org, lab = fleet("organizations", TIDEWATER), fleet("locations", "Test Lab")
    robot, part = {"robot_id": fleet("robots", "picker-01")}, {"robot_part_id": fleet("parts", "picker-01-arm")}
    assert await decide("operator", "get_robot", **robot) == "allow"
    assert await decide("operator", "new_robot", name="x", location_id=lab) == "allow"
    assert await decide("operator", "mark_part_for_restart", **part) == "confirm"
    assert "cannot ask its user" in await decide("operator", "mark_part_for_restart", Way.TOKEN, **part)
    assert await decide("operator", "delete_robot", **robot) == "type"
    role = {"role": "owner", "resource_type": "organization", "resource_id": org}
    key = fleet("api_keys", "fleet-dashboard")
    for tool, arguments in (
        ("add_role", {"org_id": org, "identity_id": key, **role}),
        ("create_key", {"org_id": org, "authorizations": [role]}),
        ("rotate_key", {"id": key}),
        ("create_organization_invite", {"org_id": org, "email": "a@b.example"}),
        ("share_location", {"organization_id": fleet("organizations", "Kestrel Integration"), "location_id": lab}),
        ("create_location_secret", {"location_id": lab}),
        ("create_robot_part_secret", part),
    ):
        assert "access is managed by the platform team" in await decide("operator", tool, **arguments)


async def test_the_unattended_configures_and_restarts_on_its_location_and_nothing_else(
    decide: Any, fleet: Any, sandbox: Sandbox
) -> None:
    here = str(sandbox.store.value("SELECT location_id FROM robots WHERE name = 'picker-01'"))
    mine, other = fleet("parts", "picker-01-arm"), fleet("parts", "pilot-sorter-01-main")

    async def alone(tool: str, **arguments: Any) -> str:
        return str(await decide("unattended", tool, replace=here, **arguments))

    assert await alone("mark_part_for_restart", robot_part_id=mine) == "allow"
    assert await alone("update_robot_part", robot_part_id=mine, name="arm") == "allow"
    emptied = await alone("update_robot_part", robot_part_id=mine, name="arm", robot_config={})
    assert "it removes most of a configuration" in emptied
    assert "has nobody asked" in emptied
    assert await alone("get_robot_part", robot_part_id=mine) == "allow"
    assert "is outside of what this server is limited to" in await alone("mark_part_for_restart", robot_part_id=other)
    assert "is outside of what this server is limited to" in await alone("get_robot_part", robot_part_id=other)
    assert "is denied" in await alone("delete_robot_part", robot_part_id=mine)
    assert "is denied" in await alone("new_robot", name="x", location_id=here)


@pytest.mark.parametrize("name", ["observer", "unattended"])
def test_where_nobody_is_asked_whatever_is_not_allowed_is_denied(name: str) -> None:
    policy = parse((FOLDER / f"{name}.toml").read_text(), name)
    allowed = {"observer": set(), "unattended": {"update_robot_part", "mark_part_for_restart"}}[name]
    changing = {
        tool.spec.name
        for tool in TOOLS.values()
        if tool.spec.effect is not Effect.READ and policy.decide(tool.spec, {}, tool.spec.effect).action == "allow"
    }
    assert changing == allowed
