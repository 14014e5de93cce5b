"""Live logs of several callers: nobody is told what another may read, nor goes without because another leaves."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
from mcp.shared.exceptions import MCPError

from tests.http.site import edited
from tests.pace import PATIENCE
from tests.sandbox.client import named
from tests.server.serving import Key, client, keys_of_two_organizations, running
from tests.server.test_log_subscriptions import Watcher
from viam_mcp.assembly.options import Auth
from viam_mcp.assembly.settings import Settings
from viam_mcp.http import add
from viam_mcp.proto.common import LogEntry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mode
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
            assert service.pool.tails == 1
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


# The client warns that what it subscribes with is gone from later protocols.
@pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")
async def test_who_is_not_let_in_any_more_is_told_no_more(
    sandbox: Sandbox, mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    tokens = tmp_path / "tokens.toml"
    add(tokens, "bob")
    others = tokens.read_text()
    alice = add(tokens, "alice")
    part = named(sandbox, "parts", "picker-01-main")
    told = Settings(
        app_url=sandbox.url,
        transport="http",
        api_key_id=sandbox.api_key_id,
        api_key=sandbox.api_key,
        auth=Auth("tokens", tokens),
        log_linger=0,
        notify_interval=0.01,
    )
    watcher = Watcher(mode)
    headers = {"authorization": f"Bearer {alice}"}
    uri = f"viam://parts/{part}/logs"
    async with (
        running(told) as (site, _),
        client(site, mode, headers, message_handler=watcher.heard) as watcher.client,
        watcher.watching(uri),
        asyncio.timeout(PATIENCE),
    ):
        await sandbox.hub.until(1)
        sandbox.emit(part, LogEntry(level="error", message="while she may"))
        await watcher.until_told(1)
        await watcher.read(uri)
        edited(tokens, lambda text: others)
        sandbox.emit(part, LogEntry(level="error", message="when she may not"))
        # The log was followed for nobody else.
        await sandbox.hub.until(0)
        assert watcher.told == [uri]


async def test_a_log_is_followed_on_with_the_key_of_a_caller_who_is_left(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    key = Key("", sandbox.api_key_id, sandbox.api_key)
    part, other = named(sandbox, "parts", "picker-01-main"), named(sandbox, "parts", "picker-01-arm")
    uri, told = f"viam://parts/{part}/logs", Watcher("auto")
    settings = Settings(app_url=sandbox.url, transport="http", credentials="headers", log_linger=0, notify_interval=0)
    async with (
        running(settings) as (site, service),
        client(site, headers=key.headers) as first,
        client(site, headers=key.headers) as told.client,
        AsyncExitStack() as stack,
        asyncio.timeout(PATIENCE),
    ):
        await stack.enter_async_context(
            first.listen(resource_subscriptions=[uri, f"viam://parts/{other}/logs"]),
        )
        async with told.watching(uri):
            await sandbox.hub.until(2)
            await stack.aclose()
            # The first has left, and with it the log that nobody else follows.
            await sandbox.hub.until(1)
            sandbox.tokens.expire()
            for kept in service.pool._clients.values():
                kept.app.session.channel.close()
            await sandbox.hub.until(0)
            await sandbox.hub.until(1)
            sandbox.emit(part, LogEntry(level="error", message="after the access token ended"))
            await told.until_told(1)
