"""Callers over HTTP who take as much as they are let: there is room for the others."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from mcp.shared.exceptions import MCPError

from tests.sandbox.client import named
from tests.server.serving import Key, client, organizations, running
from viam_mcp.app import APIKeyAuthorization
from viam_mcp.assembly.options import Auth
from viam_mcp.assembly.settings import Settings
from viam_mcp.calls import Kind, Limits
from viam_mcp.http import add
from viam_mcp.tools._files import folder_name

if TYPE_CHECKING:
    from pathlib import Path

    from mcp import Client

    from tests.http.site import Site
    from viam_mcp.app import AppClient
    from viam_mcp.sandbox import Sandbox

CALLERS = ("alice", "bob", "carol", "dora", "erin")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    """The headers' values of several callers."""
    return {name: f"Bearer {add(tmp_path / 'tokens.toml', name)}" for name in CALLERS}


@pytest.fixture
def settings(sandbox: Sandbox, tokens: dict[str, str], tmp_path: Path) -> Settings:
    """All callers use the server's key."""
    return Settings(
        app_url=sandbox.url,
        transport="http",
        api_key_id=sandbox.api_key_id,
        api_key=sandbox.api_key,
        auth=Auth("tokens", tmp_path / "tokens.toml"),
    )


@pytest.fixture
def log(sandbox: Sandbox) -> str:
    return f"viam://parts/{named(sandbox, 'parts', 'picker-01-main')}/logs"


async def calls(site: Site, headers: dict[str, str]) -> set[str]:
    async with client(site, "auto", headers) as connected:
        return await organizations(connected)


async def refusal(listening: Client, *uris: str) -> str:
    """What somebody is told who may not listen."""
    with pytest.raises(MCPError) as refused:
        async with listening.listen(resource_subscriptions=list(uris)):
            pass
    return refused.value.error.message


async def test_callers_who_do_nothing_make_room_although_one_follows_a_log(
    settings: Settings, tokens: dict[str, str], log: str
) -> None:
    limits = Limits().with_limit(Kind.CLIENTS, in_all=4)
    async with (
        running(settings, limits=limits) as (site, service),
        client(site, headers={"authorization": tokens["alice"]}) as alice,
        alice.listen(resource_subscriptions=[log]),
    ):
        for name in CALLERS[1:]:
            assert await calls(site, {"authorization": tokens[name]})
        assert service.pool.tails == 1


async def test_a_caller_with_many_keys_has_a_share_of_the_room(
    settings: Settings,
    app: AppClient,
    sandbox: Sandbox,
    tokens: dict[str, str],
    log: str,
) -> None:
    where = "SELECT org_id FROM locations JOIN robots ON locations.id = location_id WHERE robots.name = 'picker-01'"
    organization = str(sandbox.store.value(where))
    rights = [APIKeyAuthorization(role="owner", resource_type="organization", resource_id=organization)]
    made = [await app.create_key(organization, rights, str(number)) for number in range(4)]
    keys = [Key("", identifier, value).headers for value, identifier in made]
    told = replace(settings, credentials="headers", api_key_id="", api_key="")
    limits = Limits().with_limit(Kind.CLIENTS, each=2, in_all=8)
    async with running(told, limits=limits) as (site, service), AsyncExitStack() as stack:
        alice = {"authorization": tokens["alice"]}
        for key in (keys[0], keys[1], keys[2]):
            # What it does not use makes room for what it comes with next.
            assert await calls(site, alice | key)
        assert service.pool.open == 2
        for key in keys[:2]:
            listening = await stack.enter_async_context(client(site, headers=alice | key))
            await stack.enter_async_context(listening.listen(resource_subscriptions=[log]))
        async with client(site, headers=alice | keys[2]) as third:
            with pytest.raises(MCPError, match="You use 2 API keys at the same time"):
                await organizations(third)
        assert await calls(site, {"authorization": tokens["bob"]} | keys[3])


async def test_a_caller_who_follows_many_logs_leaves_some_to_others(
    settings: Settings, tokens: dict[str, str], log: str, sandbox: Sandbox
) -> None:
    part = named(sandbox, "parts", "picker-01-main")
    async with (
        running(replace(settings, max_tails=8)) as (site, _),
        client(site, headers={"authorization": tokens["alice"]}) as alice,
        client(site, headers={"authorization": tokens["bob"]}) as bob,
        alice.listen(resource_subscriptions=[f"{log}?filter={text}" for text in "ab"]),
    ):
        assert "You follow 2 live logs" in await refusal(alice, log)
        call = ("tail_robot_part_logs", {"robot_part_id": part, "wait_seconds": 0})
        assert "You follow 2 live logs" in str((await alice.call_tool(*call)).content)
        # Another stream about the same logs takes no more of them.
        async with alice.listen(resource_subscriptions=[f"{log}?filter=a"]):
            assert not (await bob.call_tool(*call)).is_error
            async with bob.listen(resource_subscriptions=[log]):
                pass


async def test_a_caller_with_many_streams_leaves_some_to_others(settings: Settings, tokens: dict[str, str]) -> None:
    async with (
        running(settings, limits=Limits().with_limit(Kind.STREAMS, each=2)) as (site, _),
        client(site, headers={"authorization": tokens["alice"]}) as alice,
        client(site, headers={"authorization": tokens["bob"]}) as bob,
        alice.listen(tools_list_changed=True),
        alice.listen(tools_list_changed=True),
    ):
        assert "You listen on 2 streams already" in await refusal(alice)
        async with bob.listen(tools_list_changed=True):
            pass


async def test_a_caller_whose_folder_is_broken_leaves_nothing_open(
    settings: Settings, sandbox: Sandbox, tmp_path: Path
) -> None:
    files, key = tmp_path / "files", tmp_path / "key"
    files.mkdir()
    key.write_text(sandbox.api_key)
    key.chmod(0o600)
    zoe = add(tmp_path / "tokens.toml", "zoe", api_key_id=sandbox.api_key_id, api_key_file=key)
    folder = files / folder_name(f"token:zoe with key {sandbox.api_key_id}")
    folder.symlink_to(tmp_path)
    told = replace(settings, credentials="tokens", files_dir=files, api_key_id="", api_key="")
    headers = {"authorization": f"Bearer {zoe}"}
    async with running(told) as (site, service):
        async with client(site, headers=headers) as connected:
            with pytest.raises(MCPError, match="has to repair your folder for files: it is not a folder") as refused:
                await organizations(connected)
        assert str(tmp_path) not in str(refused.value)
        assert service.pool.open == 0
        folder.unlink()
        assert await calls(site, headers)
        assert service.pool.open == 1
