"""How each tool that mints or reveals a credential gives it, in each of the three ways that a policy can say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.sandbox.demo.fleet import TIDEWATER
from viam_mcp.tools import REDACTED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mcp import Client

    from tests.server.conftest import Connected
    from viam_mcp.sandbox import Sandbox

ALLOWED = '[[rules]]\naction = "allow"\ntools = ["*"]\n'
KEY = "SELECT id FROM api_keys WHERE name = 'fleet-dashboard'"
LOCATION = "SELECT id FROM locations WHERE name = 'Warehouse 1'"
PART = "SELECT id FROM parts WHERE name = 'picker-01-arm'"
MACHINE = "SELECT id FROM robots WHERE name = 'picker-01'"

MINTING: dict[str, Callable[[Any], dict[str, Any]]] = {
    "create_key": lambda store: {"org_id": org(store), "name": "new", "authorizations": [operator(org(store))]},
    "rotate_key": lambda store: {"id": store.value(KEY)},
    "create_key_from_existing_key_authorizations": lambda store: {"id": store.value(KEY)},
    "create_location_secret": lambda store: {"location_id": with_one_secret(store, "location_id", LOCATION)},
    "create_robot_part_secret": lambda store: {"robot_part_id": with_one_secret(store, "part_id", PART)},
}
READING = {
    "location_auth": lambda store: {"location_id": store.value(LOCATION)},
    "get_robot_part": lambda store: {"robot_part_id": store.value(PART)},
    "get_robot_parts": lambda store: {"robot_id": store.value(MACHINE)},
}
NOTHING_TO_HIDE = {"list_keys": lambda store: {"org_id": org(store)}}


def org(store: Any) -> str:
    return str(store.value("SELECT id FROM organizations WHERE name = ?", TIDEWATER))


def operator(org_id: str) -> dict[str, str]:
    return {"role": "operator", "resource_type": "organization", "resource_id": org_id}


def with_one_secret(store: Any, column: str, select: str) -> str:
    """Something with room for another secret; at most two are active."""
    identifier = str(store.value(select))
    store.run(
        f"DELETE FROM secrets WHERE {column} = ? AND id <> (SELECT id FROM secrets WHERE {column} = ? LIMIT 1)",
        identifier,
        identifier,
    )
    return identifier


def credentials(sandbox: Sandbox) -> set[str]:
    """Every key and secret that the fleet has."""
    store = sandbox.store
    rows = [*store.all("SELECT key AS value FROM api_keys"), *store.all("SELECT secret AS value FROM secrets")]
    return {row["value"] for row in rows}


async def called(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.content[0].type == "text"
    return result.content[0].text


def delivered(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "secrets"
    return [*folder.iterdir()] if folder.exists() else []


@pytest.mark.parametrize("tool", [*MINTING, *READING])
@pytest.mark.parametrize("way", ["redact", "file", "reveal"])
async def test_a_credential_is_given_as_the_policy_says_and_is_in_no_record(
    connected: Connected, sandbox: Sandbox, tmp_path: Path, tool: str, way: str
) -> None:
    cases: dict[str, Callable[[Any], dict[str, Any]]] = {**MINTING, **READING}
    arguments, before = cases[tool](sandbox.store), credentials(sandbox)
    async with connected(policy=f'[secrets]\nread = "{way}"\nmint = "{way}"\n{ALLOWED}') as client:
        text = await called(client, tool, arguments)
    there = credentials(sandbox)
    new = there - before
    given = {one for one in there if one in text}
    files = delivered(tmp_path)
    assert bool(new) == (tool in MINTING)
    assert bool(given) == (way == "reveal")
    assert (REDACTED in text) == (way != "reveal")
    assert len(files) == (1 if way == "file" else 0)
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        assert any(one in file.read_text() for one in new or there)
        assert str(file) in text
    if way == "reveal" and new:
        assert new & given
    audit = tmp_path / "audit.jsonl"
    # Giving a credential is on record, a read too; hiding it is a plain read.
    assert audit.exists() == (tool in MINTING or way != "redact")
    assert not (audit.exists() and any(one in audit.read_text() for one in there))


@pytest.mark.parametrize("tool", NOTHING_TO_HIDE)
async def test_an_answer_without_a_credential_leaves_no_file_that_is_said_to_hold_one(
    connected: Connected, sandbox: Sandbox, tmp_path: Path, tool: str
) -> None:
    async with connected(policy=f'[secrets]\nread = "file"\n{ALLOWED}') as client:
        text = await called(client, tool, NOTHING_TO_HIDE[tool](sandbox.store))
    assert "credential is not shown" not in text
    assert delivered(tmp_path) == []


async def test_what_was_shown_is_named_in_the_audit_and_the_end_is_written_before_it_is_told(
    connected: Connected, sandbox: Sandbox, tmp_path: Path
) -> None:
    arguments = MINTING["rotate_key"](sandbox.store)
    audit = tmp_path / "audit.jsonl"
    async with connected(policy=ALLOWED.replace("*", "new_robot")) as client:
        asked = await client.call_tool("rotate_key", arguments)
        assert asked.is_error
        operation = asked.content[0].text.splitlines()[-1]  # type: ignore[union-attr]
        assert not (await client.call_tool("confirm_operation", {"operation_id": operation})).is_error
        lines = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [line["outcome"] for line in lines] == ["asked", "started", "done"]
    assert len({line["preview"] for line in lines}) == len({line["operation"] for line in lines}) == 1
    assert all(line["preview"] for line in lines)
