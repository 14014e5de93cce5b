"""Live logs of two callers with keys of two organizations: neither follows what the other may."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from mcp.shared.exceptions import MCPError

from tests.pace import PATIENCE
from tests.server.serving import client, keys_of_two_organizations, running
from viam_mcp.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox


async def part_of(app: AppClient, organization: str) -> str:
    """Some part that only one organization has."""
    for one in await app.list_organizations():
        if one.name != organization:
            continue
        for location in await app.list_locations(one.id):
            if len(location.organizations) == 1:
                for robot in await app.list_robots(location.id):
                    return (await app.get_robot_parts(robot.id))[0].id
    raise AssertionError(organization)


async def test_who_follows_a_log_opens_it_to_nobody_else(
    app: AppClient, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    keys = await keys_of_two_organizations(app)
    part = await part_of(app, keys[0].organization)
    uri = f"viam://parts/{part}/logs"
    async with (
        running(Settings(app_url=sandbox.url, transport="http", credentials="headers")) as (site, service),
        client(site, "auto", keys[0].headers) as owner,
        client(site, "auto", keys[1].headers) as other,
    ):
        async with owner.listen(resource_subscriptions=[uri]):
            # The log is followed for its owner, and only so.
            assert service.fleets.tails == 1
            with pytest.raises(MCPError):
                await other.read_resource(uri)
            refused = await other.call_tool("tail_robot_part_logs", {"robot_part_id": part, "wait_seconds": 0})
            assert refused.is_error
            mine = await owner.call_tool("tail_robot_part_logs", {"robot_part_id": part, "wait_seconds": 0})
            assert mine.structured_content
            cursor = mine.structured_content["next_cursor"]
            taken = await other.call_tool(
                "tail_robot_part_logs", {"robot_part_id": part, "wait_seconds": 0, "cursor": cursor}
            )
            assert taken.is_error
            assert b"viam_mcp_subscribers 1.0" in service.metrics.text()
        async with asyncio.timeout(PATIENCE):
            while b"viam_mcp_subscribers 0.0" not in service.metrics.text():  # noqa: ASYNC110 - numbers are read, not told
                await asyncio.sleep(0.01)
