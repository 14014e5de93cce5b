"""With a scope, no name and no id of anything outside comes out, whatever is called.

Everything outside is named by a canary. Every tool is called with what its case calls it with, and with the same about
things that are inside; once as it is asked about, once as it is done.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    PromptReference,
    ResourceTemplateReference,
)

from tests.stores import store_in
from tests.tools.cases import arguments_of
from viam_mcp.calls import Pipeline
from viam_mcp.policy import Gate, parse
from viam_mcp.sandbox import Fault
from viam_mcp.sandbox.demo.fleet import TIDEWATER
from viam_mcp.server import build_server
from viam_mcp.tools import FORMS, TOOLS, Effect, Files, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

SCOPES = {
    "an organization": ((TIDEWATER,), ()),
    "an organization and a location": ((TIDEWATER,), ("Warehouse 1",)),
    "a location": ((), ("Warehouse 1",)),
}
CANARY = "Canary"


@dataclass
class Aviary:
    """A fleet in which everything outside of a scope is named by a canary.

    Attributes:
        sandbox: The fleet.
        policy: The scope, as a policy file has it.
        outside: The ids of everything outside that has an id.
        inside: An id inside for each that is replaced.
    """

    sandbox: Sandbox
    policy: str
    outside: set[str]
    inside: dict[str, str]

    def said_too_much(self, text: str, told: str = "") -> list[str]:
        """What a text holds that is outside and that nobody has told."""
        canaries = re.findall(rf".{{0,40}}{CANARY}.{{0,40}}", text, re.IGNORECASE | re.DOTALL)
        examples = " ".join(FORMS.values())  # of ids, which name nothing here
        return [*canaries, *(one for one in self.outside if one in text and one not in told + examples)]


def plant(sandbox: Sandbox, organizations: tuple[str, ...], locations: tuple[str, ...]) -> Aviary:
    """Name everything outside by a canary."""
    store = sandbox.store

    def ids(sql: str, *values: Any) -> set[str]:
        return {str(row[0]) for row in store.all(sql, *values)}

    named = [store.value("SELECT id FROM organizations WHERE name = ?", name) for name in organizations]
    roots = [store.value("SELECT id FROM locations WHERE name = ?", name) for name in locations]
    policy = f"[scope]\norganizations = {json.dumps(named)}\nlocations = {json.dumps(roots)}\n"
    if roots:
        marks = ", ".join("?" * len(roots))
        below = (
            f"WITH RECURSIVE below(id) AS (SELECT id FROM locations WHERE id IN ({marks}) UNION "
            "SELECT locations.id FROM locations JOIN below ON locations.parent_id = below.id) SELECT id FROM below"
        )
        here = ids(below, *roots)
    else:
        here = ids(f"SELECT id FROM locations WHERE org_id IN ({', '.join('?' * len(named))})", *named)
    robots = ids(f"SELECT id FROM robots WHERE location_id IN ({', '.join('?' * len(here))})", *here)
    # A key whose roles are all outside is outside too.
    keys = ids("SELECT id FROM api_keys") - ids(
        "SELECT identity_id FROM authorizations WHERE identity_type = 'api-key' AND resource_id IN "
        f"({', '.join('?' * (len(here) + len(robots) + len(named)))})",
        *here, *robots, *named,
    )  # fmt: skip
    outside: set[str] = set()
    for table, kept, known in (("locations", here, True), ("robots", robots, True), ("organizations", named, False)):
        for one in ids(f"SELECT id FROM {table}") - set(kept):
            store.run(f"UPDATE {table} SET name = ? || name WHERE id = ?", f"{CANARY} ", one)
            if known:
                outside.add(one)
    for one in ids(f"SELECT id FROM parts WHERE robot_id NOT IN ({', '.join('?' * len(robots))})", *robots):
        store.run("UPDATE parts SET name = ? || name WHERE id = ?", f"{CANARY}-", one)
        store.run("UPDATE logs SET message = ? || message WHERE part_id = ?", f"{CANARY} ", one)
        outside.add(one)
    for one in keys:
        # Their ids come out where they have edited something inside.
        store.run("UPDATE api_keys SET name = ? || name WHERE id = ?", f"{CANARY} ", one)
    for table in ("fragments", "registry_items"):
        for row in store.all(
            f"SELECT rowid AS number FROM {table} WHERE org_id NOT IN ({', '.join('?' * len(named))})", *named
        ):
            store.run(f"UPDATE {table} SET name = ? || name WHERE rowid = ?", f"{CANARY.lower()}-", row["number"])
    return Aviary(sandbox, policy, outside, replacements(sandbox, here, robots))


def replacements(sandbox: Sandbox, locations: set[str], robots: set[str]) -> dict[str, str]:
    """For each id of something that can be asked about, one of the same kind that is inside."""
    store = sandbox.store
    robot = store.value(f"SELECT id FROM robots WHERE id IN ({', '.join('?' * len(robots))}) ORDER BY name", *robots)
    part = store.value("SELECT id FROM parts WHERE robot_id = ?", robot)
    location = store.value("SELECT location_id FROM robots WHERE id = ?", robot)
    org = store.value("SELECT org_id FROM locations WHERE id = ?", location)
    targets = {"organizations": org, "locations": location, "robots": robot, "parts": part}
    return {
        str(row["id"]): str(target) for table, target in targets.items() for row in store.all(f"SELECT id FROM {table}")
    }


def about_inside(value: Any, inside: dict[str, str]) -> Any:
    """The same arguments about things that are inside."""
    if isinstance(value, dict):
        return {key: about_inside(item, inside) for key, item in value.items()}
    if isinstance(value, list):
        return [about_inside(item, inside) for item in value]
    return inside.get(value, value) if isinstance(value, str) else value


def in_order() -> list[str]:
    """The tools, so that what deletes comes last."""
    weight = {Effect.READ: 0, Effect.WRITE: 1, Effect.DESTRUCTIVE: 2}
    return sorted(TOOLS, key=lambda name: (weight[TOOLS[name].spec.effect], name.startswith("delete"), name))


def pipeline(aviary: Aviary, app: AppClient, folder: Path, more: str, stack: Any) -> Pipeline:
    store = stack.enter_context(store_in(folder))
    gate = Gate(parse(aviary.policy + more, "p.toml"), app, store)
    (folder / "files").mkdir(exist_ok=True)
    return Pipeline(TOOLS, app, gate, files=Files(folder / "files"))


NO_WAITING: dict[str, dict[str, Any]] = {name: {"wait_seconds": 0} for name in ("tail_robot_part_logs", "tail_logs")}
ASKED = '[defaults]\nwrite = "confirm"\n'
DONE = '[[rules]]\naction = "allow"\ntools = ["*"]\n'
REVEALED = f'[secrets]\nread = "reveal"\nmint = "reveal"\n{DONE}'


@pytest.mark.parametrize("scope", SCOPES)
async def test_no_tool_says_anything_of_what_is_outside(
    scope: str, sandbox: Sandbox, app: AppClient, tmp_path: Path, stack: Any
) -> None:
    calls = {name: await arguments_of(name, sandbox, app, tmp_path) for name in in_order()}
    aviary = plant(sandbox, *SCOPES[scope])
    answered = 0
    for more in (ASKED, REVEALED):
        folder = tmp_path / ("asked" if more is ASKED else "done")
        folder.mkdir()
        calling = pipeline(aviary, app, folder, more, stack)
        for name, arguments in calls.items():
            sent = about_inside(arguments, aviary.inside)
            for asked in (sent,) if more is REVEALED or sent == arguments else (sent, arguments):
                result = await calling.call(name, {**asked, **NO_WAITING.get(name, {})}, no_progress)
                text = result.text + json.dumps(result.data, ensure_ascii=False)
                assert aviary.said_too_much(text, json.dumps(asked)) == [], (name, text)
                answered += result.data is not None
    assert answered > (40 if "organization" in scope else 15)


async def completed(client: Client, reference: Any, argument: str, text: str) -> str:
    """What a completion answers, or why there is none."""
    try:
        return str(await client.complete(reference, {"name": argument, "value": text}))
    except MCPError as error:
        return str(error)


@pytest.mark.parametrize("scope", SCOPES)
async def test_no_resource_and_no_completion_says_anything_of_what_is_outside(
    scope: str, sandbox: Sandbox, app: AppClient, tmp_path: Path, stack: Any, mode: Any
) -> None:
    aviary = plant(sandbox, *SCOPES[scope])
    server = build_server(pipeline(aviary, app, tmp_path, "", stack), sandbox=True)
    said: list[tuple[str, str]] = []
    async with Client(server.mcp, mode=mode, cache=None) as client:
        templates = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        prompts = {one.name: one.arguments or [] for one in (await client.list_prompts()).prompts}
        for text in ("", CANARY):
            for uri in templates:
                for variable in ",".join(re.findall(r"\{\??([a-z_,]+)\}", uri)).split(","):
                    reference: Any = ResourceTemplateReference(type="ref/resource", uri=uri)
                    said.append((uri, await completed(client, reference, variable, text)))
            for prompt, arguments in prompts.items():
                for argument in arguments:
                    reference = PromptReference(type="ref/prompt", name=prompt)
                    said.append((prompt, await completed(client, reference, argument.name, text)))
        ids = [*sorted(aviary.outside), *dict.fromkeys(aviary.inside.values())]
        for uri in ["viam://organizations", *(re.sub(r"\{\?.*?\}", "", one) for one in templates)]:
            for one in ids[:3] + ids[-4:]:
                at = re.sub(r"\{[a-z_]+\}", one, uri)
                try:
                    said.append((at, str(await client.read_resource(at))))
                except MCPError as error:
                    said.append((at, str(error)))
    assert len(said) > 50
    for where, text in said:
        assert aviary.said_too_much(text, where) == [], (where, text)


@pytest.mark.parametrize("status", [Status.INTERNAL, Status.FAILED_PRECONDITION, Status.NOT_FOUND])
async def test_no_error_of_the_service_names_what_is_outside(
    status: Status, sandbox: Sandbox, app: AppClient, tmp_path: Path, stack: Any
) -> None:
    aviary = plant(sandbox, *SCOPES["a location"])
    some_id = next(iter(aviary.outside))
    words = f"machine 'bench {CANARY}' ({some_id}) in {CANARY}-7 still uses it: 3 parts, see {some_id}"
    calling = pipeline(aviary, app, tmp_path, DONE, stack)
    for rpc, name in (("UpdateRobot", "update_robot"), ("GetRobot", "get_robot"), ("DeleteRobot", "delete_robot")):
        sandbox.faults.add(rpc, Fault(times=None, status=status, message=words))
        robot_id = next(
            robot
            for robot in aviary.inside.values()
            if "-" in robot and sandbox.store.value("SELECT 1 FROM robots WHERE id = ?", robot)
        )
        more = {
            "name": "new",
            "location_id": sandbox.store.value("SELECT location_id FROM robots WHERE id = ?", robot_id),
        }
        result = await calling.call(
            name, {"robot_id": robot_id, **(more if name == "update_robot" else {})}, no_progress
        )
        assert result.data is None
        assert aviary.said_too_much(result.text) == [], result.text
        sandbox.faults.clear()


@pytest.fixture
def stack() -> Iterator[Any]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield stack
