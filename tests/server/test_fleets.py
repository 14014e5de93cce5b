"""Callers with keys of their own, over HTTP: nothing of one ever reaches another."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections import Counter
from typing import TYPE_CHECKING

import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.server.serving import client, organizations, running
from viam_mcp.app import APIKeyAuthorization, Credentials
from viam_mcp.assembly.options import Auth
from viam_mcp.assembly.settings import Settings
from viam_mcp.http import HttpError, add

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Mode
    from tests.http.site import Site
    from tests.server.serving import Key
    from viam_mcp.app import AppClient
    from viam_mcp.assembly.service import Service
    from viam_mcp.sandbox import Sandbox


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # As with several workers: what one entry seals, another could open.
    monkeypatch.setenv("VIAM_MCP_STATE_KEYS", "ab" * 32)


@pytest.fixture
async def brought(settings: Settings) -> AsyncIterator[tuple[Site, Service]]:
    """A service whose callers bring their keys."""
    async with running(settings) as both:
        yield both


async def test_each_request_is_done_with_the_key_that_it_brings(
    brought: tuple[Site, Service], keys: list[Key], mode: Mode
) -> None:
    site, _ = brought
    for key in keys:
        async with client(site, mode, key.headers) as connected:
            assert await organizations(connected) == {key.organization}


async def test_many_callers_at_once_are_not_mixed_up(brought: tuple[Site, Service], keys: list[Key]) -> None:
    site, _ = brought

    async def ask(key: Key) -> tuple[str, frozenset[str]]:
        async with client(site, "auto", key.headers) as connected:
            found = [frozenset(await organizations(connected)) for _ in range(5)]
        assert len(set(found)) == 1
        return key.organization, found[0]

    answers = Counter(await asyncio.gather(*(ask(keys[number % 2]) for number in range(20))))
    assert answers == {(key.organization, frozenset({key.organization})): 10 for key in keys}


async def test_one_session_may_change_its_key_and_gets_what_that_reaches(
    brought: tuple[Site, Service], keys: list[Key]
) -> None:
    site, _ = brought
    headers: dict[str, str] = dict(keys[0].headers)
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(site.url, http_client=http), mode="legacy") as connected,
    ):
        assert await organizations(connected) == {keys[0].organization}
        http.headers.update(keys[1].headers)
        assert await organizations(connected) == {keys[1].organization}


@pytest.mark.parametrize("missing", [{"viam-api-key"}, {"viam-api-key-id"}, {"viam-api-key", "viam-api-key-id"}])
async def test_a_request_without_a_key_is_told_which_headers_to_send(
    brought: tuple[Site, Service], keys: list[Key], missing: set[str]
) -> None:
    site, _ = brought
    headers = {name: value for name, value in keys[0].headers.items() if name not in missing}
    async with client(site, "auto", headers) as connected:
        with pytest.raises(MCPError, match="send its id as viam-api-key-id and the key as viam-api-key"):
            await connected.call_tool("list_organizations", {})


async def test_a_key_that_is_wrong_is_refused_even_while_the_right_one_is_in_use(
    brought: tuple[Site, Service], keys: list[Key]
) -> None:
    site, _ = brought
    async with client(site, "auto", keys[0].headers) as connected:
        await organizations(connected)
        wrong = {**keys[0].headers, "viam-api-key": keys[1].value}
        async with client(site, "auto", wrong) as other:
            result = await other.call_tool("list_organizations", {})
            assert result.is_error
            assert "UNAUTHENTICATED" in str(result.content)


@pytest.mark.parametrize("name", ["viam-api-key", "Viam-Api-Key-Id"])
async def test_a_key_in_the_headers_is_refused_where_the_server_has_its_own(
    settings: Settings, sandbox: Sandbox, name: str
) -> None:
    own = Settings(app_url=sandbox.url, transport="http", api_key_id=sandbox.api_key_id, api_key=sandbox.api_key)
    async with running(own) as (site, _):
        answer = await site.post(headers={name: "smuggled-nobody-may-see"})
    assert answer.status_code == 400
    assert "do not send viam-api-key-id or viam-api-key" in answer.text
    assert "nobody-may-see" not in answer.text


async def test_a_key_that_is_there_twice_is_refused(brought: tuple[Site, Service], keys: list[Key]) -> None:
    site, _ = brought
    headers = [*keys[0].headers.items(), ("viam-api-key", keys[1].value)]
    async with httpx2.AsyncClient(headers=headers) as http:
        answer = await http.post(site.url, json={})
    assert (answer.status_code, "once each" in answer.text) == (400, True)


async def test_a_key_is_nowhere_once_its_request_is_over(
    brought: tuple[Site, Service], keys: list[Key], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site, service = brought
    async with client(site, "auto", keys[0].headers) as connected:
        await organizations(connected)
    gc.collect()
    # The connection is kept, with the access token that the key bought.
    assert service.pool.open == 1
    held = [one for one in gc.get_objects() if isinstance(one, Credentials) and one.api_key == keys[0].value]
    assert held == []
    assert keys[0].value not in caplog.text


async def test_a_confirmation_given_with_one_key_is_good_with_no_other(
    brought: tuple[Site, Service], keys: list[Key], app: AppClient
) -> None:
    site, _ = brought
    # Both keys may delete it, so that only the confirmation is in the way.
    first = next(org for org in await app.list_organizations() if org.name == keys[0].organization)
    robot = await app.new_robot("doomed", (await app.list_locations(first.id))[0].id)
    rights = APIKeyAuthorization(role="owner", resource_type="organization", resource_id=first.id)
    value, identifier = await app.create_key(first.id, [rights], "another")
    other = {"viam-api-key-id": identifier, "viam-api-key": value}
    async with client(site, "auto", keys[0].headers) as asking, client(site, "auto", other) as taking:
        asked = await asking.call_tool("delete_robot", {"robot_id": robot})
        assert asked.is_error
        operation = asked.content[0].text.rstrip().rpartition("\n")[2]  # type: ignore[union-attr]
        stolen = await taking.call_tool("confirm_operation", {"operation_id": operation})
        assert "There is no operation of that id" in str(stolen.content)
        assert (await app.get_robot(robot)).name == "doomed"
        assert not (await asking.call_tool("confirm_operation", {"operation_id": operation})).is_error


async def test_a_name_that_was_completed_for_one_is_not_offered_to_another(
    brought: tuple[Site, Service], keys: list[Key], app: AppClient
) -> None:
    site, _ = brought
    reference = types.ResourceTemplateReference(uri="viam://locations/{id}")
    found = []
    for key in keys:
        async with client(site, "auto", key.headers) as connected:
            completion = (await connected.complete(reference, {"name": "id", "value": ""})).completion
            found.append(set(completion.values))
    for organization in await app.list_organizations():
        (number,) = [number for number, key in enumerate(keys) if key.organization == organization.name]
        assert found[number] == {location.id for location in await app.list_locations(organization.id)}


async def test_the_audit_names_the_key_beside_the_caller(
    brought: tuple[Site, Service], keys: list[Key], app: AppClient, tmp_path: Path
) -> None:
    site, _ = brought
    (organization,) = [org for org in await app.list_organizations() if org.name == keys[0].organization]
    async with client(site, "auto", keys[0].headers) as connected:
        result = await connected.call_tool("create_location", {"org_id": organization.id, "name": "New"})
        assert not result.is_error, result.content
    entries = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert {entry["caller"] for entry in entries} == {f"local with key {keys[0].id}"}
    assert keys[0].value not in (tmp_path / "audit.jsonl").read_text()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


async def test_each_token_is_done_with_the_key_beside_it(
    settings: Settings, keys: list[Key], token_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_ALICE", keys[0].value)
    file = tmp_path / "bob.key"
    file.write_text(f"{keys[1].value}\n")
    file.chmod(0o600)
    alice = add(token_file, "alice", api_key_id=keys[0].id, api_key_env="KEY_OF_ALICE")
    bob = add(token_file, "bob", api_key_id=keys[1].id, api_key_file=file)
    carol = add(token_file, "carol")
    async with running(
        Settings(app_url=settings.app_url, transport="http", credentials="tokens", auth=Auth("tokens", token_file))
    ) as (site, _):
        for token, key in ((alice, keys[0]), (bob, keys[1])):
            async with client(site, "auto", {"authorization": f"Bearer {token}"}) as connected:
                assert await organizations(connected) == {key.organization}
        async with client(site, "auto", {"authorization": f"Bearer {carol}"}) as connected:
            with pytest.raises(MCPError, match="There is no key of a Viam organization for you") as caught:
                await connected.call_tool("list_organizations", {})
            assert caught.value.code == types.INVALID_REQUEST
        # A key is replaced while the server runs.
        file.write_text(keys[0].value)
        async with client(site, "auto", {"authorization": f"Bearer {bob}"}) as connected:
            result = await connected.call_tool("list_organizations", {})
            assert "UNAUTHENTICATED" in str(result.content)
        file.chmod(0o644)
        async with client(site, "auto", {"authorization": f"Bearer {bob}"}) as connected:
            with pytest.raises(MCPError, match="chmod 600") as caught:
                await connected.call_tool("list_organizations", {})
            assert caught.value.code == types.INTERNAL_ERROR


def test_a_token_entry_with_half_a_key_is_refused(token_file: Path) -> None:
    with pytest.raises(HttpError, match="api_key_id, and either api_key_env or api_key_file"):
        add(token_file, "alice", api_key_env="KEY")
    with pytest.raises(HttpError, match="api_key_id, and either api_key_env or api_key_file"):
        add(token_file, "alice", api_key_id="id")
    assert not token_file.exists()
