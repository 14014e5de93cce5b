"""CONTRIBUTING walks through a tool in four places: following it, out of tree, gives a tool that holds everywhere."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from grpclib.client import Channel
from jsonschema import Draft202012Validator

from scripts.places import missing, served
from scripts.schemas import schema_file, table
from tests.fleet import connected_to
from tests.stores import audit_lines, store_in
from viam_mcp.app import AppClient, Credentials, Session
from viam_mcp.calls import Pipeline
from viam_mcp.policy import Gate, parse
from viam_mcp.sandbox import Sandbox
from viam_mcp.sandbox.demo.fleet import TIDEWATER
from viam_mcp.tools import TOOLS, Effect, definition, no_progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.conftest import Mode
    from tests.fleet import Fleet
    from viam_mcp.calls import Result
    from viam_mcp.policy import LazyStore
    from viam_mcp.sandbox.rows.store import FleetStore
    from viam_mcp.tools import Tool

NAME, RPC = "get_robot_part_by_name_and_location", "GetRobotPartByNameAndLocation"
TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
BLOCKS = re.findall(r"```python\n# (\S+)\.py\n(.*?)```", TEXT, re.DOTALL)


@dataclass
class Walk:
    """What the four places define.

    Attributes:
        methods: The class with the client's method.
        rpcs: The class with the sandbox's rpc.
        tool: The tool.
        case: Its test case.
    """

    methods: type
    rpcs: type
    tool: type[Tool]
    case: Callable[[Fleet], Awaitable[None]]

    @property
    def client(self) -> type[AppClient]:
        """A client that has the method."""
        return type("Client", (self.methods, AppClient), {})


def appended(path: str, text: str) -> dict[str, Any]:
    """Return what a block defines where it stands at the end of a module, which stays as it is."""
    module = import_module(path.replace("/", "."))
    longer = ModuleType(f"{module.__name__}_with_the_walk")
    sys.modules[longer.__name__] = longer
    vars(longer).update({name: value for name, value in vars(module).items() if name not in ("__name__", "__spec__")})
    before = dict(vars(longer))
    exec(compile(f"from __future__ import annotations\n{text}", path, "exec"), vars(longer))
    return {name: value for name, value in vars(longer).items() if value is not before.get(name)}


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    """The example, as somebody follows it."""
    assert [path for path, _ in BLOCKS] == [
        "viam_mcp/app/subjects/_parts",
        "viam_mcp/sandbox/services/parts",
        "viam_mcp/tools/sets/parts",
        "tests/tools/cases/parts",
    ]
    modules, kept = set(sys.modules), dict(TOOLS)
    del TOOLS[NAME]
    methods, rpcs, tools, cases = (appended(path, text) for path, text in BLOCKS)
    walked = Walk(methods["PartMethods"], rpcs["PartRpcs"], tools["GetRobotPartByNameAndLocation"], cases[NAME])
    mapping = Sandbox.__mapping__

    def with_the_rpc(self: Sandbox) -> dict[str, Any]:
        from viam_mcp.proto import POOL

        method = POOL.FindServiceByName("viam.app.v1.AppService").methods_by_name[RPC]
        handler = self._handler(method, walked.rpcs().get_by_name)
        return {**mapping(self), f"/viam.app.v1.AppService/{RPC}": handler}

    monkeypatch.setattr(Sandbox, "__mapping__", with_the_rpc)
    yield walked
    # In the order that they had, which is that of `tools/list`.
    TOOLS.clear()
    TOOLS.update(kept)
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
async def fleet(walk: Walk, demo_fleet: FleetStore, mode: Mode, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with (
        Sandbox.start(demo_fleet.copy()) as sandbox,
        connected_to(sandbox, mode=mode, folder=tmp_path, kind=walk.client) as fleet,
    ):
        yield fleet


async def test_the_example_is_a_tool_that_does_what_its_case_says(walk: Walk, fleet: Fleet) -> None:
    await walk.case(fleet)


def test_the_example_has_a_schema_a_row_and_an_rpc(walk: Walk) -> None:
    told = definition(walk.tool)
    assert told["inputSchema"]["required"] == ["name", "location_id"]
    for schema in (told["inputSchema"], told["outputSchema"]):
        Draft202012Validator.check_schema(schema)
    assert f'"name": "{NAME}"' in schema_file(walk.tool)
    assert walk.tool.spec.rpc is not None
    assert walk.tool.spec.rpc.name == RPC
    assert walk.tool.spec.effect is Effect.READ
    assert f"| `{walk.tool.spec.name}` |" in table({NAME: walk.tool})


class Server:
    """The tool behind a gate, under a policy."""

    def __init__(self, walk: Walk, sandbox: Sandbox, channel: Channel, policy: str, store: LazyStore) -> None:
        app = walk.client(Session(channel, credentials=Credentials(sandbox.api_key_id, sandbox.api_key)), {})
        self._pipeline = Pipeline({NAME: walk.tool}, app, Gate(parse(policy, "policy.toml"), app, store))
        self._sandbox = sandbox

    async def part_in(self, location: str, part: str) -> Result:
        location_id = self._sandbox.store.value("SELECT id FROM locations WHERE name = ?", location)
        return await self._pipeline.call(NAME, {"name": part, "location_id": location_id}, no_progress)


@pytest.fixture
async def serve(walk: Walk, demo_fleet: FleetStore, tmp_path: Path) -> AsyncIterator[Callable[[str], Server]]:
    """`serve(policy)`: the tool behind a gate under a policy, which may name the organization as ORG."""
    async with Sandbox.start(demo_fleet.copy()) as sandbox:
        address = urlsplit(sandbox.url)
        org_id = sandbox.store.value("SELECT id FROM organizations WHERE name = ?", TIDEWATER)
        location_id = sandbox.store.value("SELECT id FROM locations WHERE name = 'Warehouse 1'")
        with store_in(tmp_path) as store:
            async with Channel(address.hostname, address.port) as channel:
                yield lambda policy: Server(
                    walk, sandbox, channel, policy.replace("ORG", org_id).replace("LOCATION", location_id), store
                )


async def test_the_example_is_held_to_a_scope(serve: Callable[[str], Server]) -> None:
    server = serve('[scope]\norganizations = ["ORG"]\nlocations = ["LOCATION"]\n')
    inside = await server.part_in("Warehouse 1", "picker-01-main")
    assert inside.data is not None
    for place, part in (("Warehouse 2", "hauler-02-main"), ("Bench A", "demo-cell-01-main")):
        outside = await server.part_in(place, part)
        assert outside.data is None
        assert "outside of what this server is limited to" in outside.text


async def test_the_example_is_redacted_and_what_it_reveals_is_asked_for_and_in_the_audit(
    serve: Callable[[str], Server], tmp_path: Path
) -> None:
    plain = await serve("").part_in("Warehouse 1", "picker-01-main")
    assert plain.data is not None
    assert {secret["secret"] for secret in plain.data["part"]["secrets"]} == {"[redacted]"}
    asked = await serve('[secrets]\nread = "reveal"\n').part_in("Warehouse 1", "picker-01-main")
    assert asked.question is not None
    server = serve('[secrets]\nread = "reveal"\n[[rules]]\naction = "allow"\ntools = ["*"]\n')
    revealed = await server.part_in("Warehouse 1", "picker-01-main")
    assert revealed.data is not None
    assert "[redacted]" not in {secret["secret"] for secret in revealed.data["part"]["secrets"]}
    written = [(entry["tool"], entry["outcome"]) for entry in audit_lines(tmp_path)]
    assert written[-2:] == [(NAME, "started"), (NAME, "done")]


def test_what_a_tool_still_needs_is_said_by_the_linter(walk: Walk) -> None:
    bare = type("Bare", (), {})
    assert [*missing([walk.tool], walk.client, served() | {RPC}, {NAME})] == []
    method, rpc, case = missing([walk.tool], bare, served() - {RPC}, ())
    assert method == f"{NAME}: AppClient has no method of this name; add one to viam_mcp/app/subjects/"
    assert rpc == f"{NAME}: the sandbox does not serve {RPC}; add it to viam_mcp/sandbox/services/"
    assert case == f"{NAME}: no test calls it; add a case of this name to tests/tools/cases/parts.py"
    (left_over,) = missing([], cases={"no_such_tool"})
    assert left_over.startswith("no_such_tool: it has a case")
