"""A server whose store cannot be used: reads of the fleet go on, and nothing that changes something runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.processes import COMMAND, running

AWAY = {
    "a server that is away": (
        {"VIAM_MCP_STORE": "postgresql://me:swordfish@127.0.0.1:9/fleet", "VIAM_MCP_STATE_KEYS": "5a" * 32},
        "postgresql://me@127.0.0.1:9/fleet cannot be reached",
    ),
    # Nothing can be made there, not even by root.
    "a home that cannot be written": ({"XDG_STATE_HOME": "/sys"}, "XDG_STATE_HOME"),
}


def text_of(result: Any) -> str:
    return "".join(part["text"] for part in result["content"])


@pytest.mark.parametrize("what", AWAY)
async def test_reads_go_on_and_nothing_that_changes_something_runs(fleet_env: dict[str, str], what: str) -> None:
    env, says = AWAY[what]
    async with running(*COMMAND, "serve", env={**fleet_env, **env}) as server:
        await server.initialize()
        organizations = await server.call("list_organizations")
        assert not organizations.get("isError"), text_of(organizations)
        organization = organizations["structuredContent"]["organizations"][0]["id"]
        before = await server.call("list_locations", org_id=organization)
        for tool, arguments in (
            ("create_location", {"org_id": organization, "name": "new"}),
            ("delete_location", {"location_id": before["structuredContent"]["locations"][0]["id"]}),
        ):
            refused = await server.call(tool, **arguments)
            assert refused["isError"]
            assert "was not done" in text_of(refused)
            assert says in text_of(refused)
            assert "swordfish" not in str(refused)
        assert (await server.call("list_locations", org_id=organization))["structuredContent"] == before[
            "structuredContent"
        ]
        end = await server.end()
    assert "swordfish" not in end.stderr
