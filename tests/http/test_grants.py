"""What a credential opens is asked when a call runs, not only when its request came; and what it does not open is on
record."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest

from tests.http.site import edited, said
from viam_mcp.assembly.options import Auth, SettingsError
from viam_mcp.assembly.settings import Settings
from viam_mcp.assembly.web import check
from viam_mcp.calls import Access
from viam_mcp.http import add
from viam_mcp.http.auth._oauth import AccessTokens, Trust
from viam_mcp.http.auth._tokens import TokenFile, digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Mode
    from tests.http.conftest import Served
    from tests.http.issuer import Issuer
    from tests.http.site import Site
    from viam_mcp.sandbox import Sandbox

READ_AND_WRITE = 'scopes = ["viam:read", "viam:write"]\n'


@pytest.fixture
def robot(sandbox: Sandbox) -> str:
    return str(sandbox.store.value("SELECT id FROM robots WHERE name = 'picker-01'"))


def exists(sandbox: Sandbox, robot: str) -> bool:
    return bool(sandbox.store.value("SELECT count(*) FROM robots WHERE id = ?", robot))


def outcomes(tmp_path: Path) -> list[str]:
    return [json.loads(line)["outcome"] for line in (tmp_path / "audit.jsonl").read_text().splitlines()]


async def test_a_scope_that_was_cut_while_a_question_was_open_stops_the_call_in_spite_of_the_yes(
    site: Site, alice: str, token_file: Path, sandbox: Sandbox, robot: str, mode: Mode, tmp_path: Path
) -> None:
    async def cut_then_agree(context: Any, params: Any) -> types.ElicitResult:
        edited(token_file, lambda text: text + READ_AND_WRITE)
        return types.ElicitResult(action="accept", content={"confirm": True})

    async with site.client(mode, alice, elicitation_callback=cut_then_agree) as client:
        assert "delete_robot is not open to your credential" in await said(client, "delete_robot", robot_id=robot)
    assert exists(sandbox, robot)
    assert outcomes(tmp_path) == ["asked", "denied"]


async def test_a_scope_that_was_cut_stops_what_waits_for_a_confirmation(
    site: Site, alice: str, token_file: Path, sandbox: Sandbox, robot: str, mode: Mode, tmp_path: Path
) -> None:
    # Another tool can still be confirmed, so that confirm_operation is there.
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rules]]\naction = "confirm"\ntools = ["new_robot"]\n')
    edited(token_file, lambda text: text + f'policy = "{policy}"\n')
    async with site.client(mode, alice) as client:
        token = (await said(client, "delete_robot", robot_id=robot)).splitlines()[-1]
        edited(token_file, lambda text: text + READ_AND_WRITE)
        answer = await said(client, "confirm_operation", operation_id=token)
        assert "delete_robot is not open to your credential" in answer
    assert exists(sandbox, robot)


async def test_a_call_that_a_credential_does_not_open_is_on_record(
    site: Site, new_token: Callable[..., str], sandbox: Sandbox, robot: str, mode: Mode, tmp_path: Path
) -> None:
    reader = new_token("reader", scopes=["viam:read"])
    async with site.client(mode, reader) as client:
        assert "delete_robot" not in {tool.name for tool in (await client.list_tools()).tools}
        assert "not open to your credential" in await said(client, "delete_robot", robot_id=robot)
        # Nor is it told what arguments it would take.
        assert "not open to your credential" in await said(client, "delete_robot", machine=robot)
    line, other = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert (other["caller"], other["tool"], other["outcome"]) == ("token:reader", "delete_robot", "denied")
    assert (line["caller"], line["tool"], line["outcome"]) == ("token:reader", "delete_robot", "denied")
    assert line["arguments"] == {"robot_id": robot}


async def test_reading_alone_does_not_open_writing_to_files(
    served: Served, by_tokens: Auth, alice: str, new_token: Callable[..., str], sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    part = str(sandbox.store.value("SELECT id FROM parts LIMIT 1"))
    reader = new_token("reader", scopes=["viam:read"])
    async with served(by_tokens, files_dir=tmp_path / "files") as site, site.client("auto", reader) as client:
        assert not (await client.call_tool("get_robot_part", {"robot_part_id": part})).is_error
        answer = await said(client, "get_robot_part", robot_part_id=part, dest="part.json")
        assert "not open to your credential" in answer
    assert not list((tmp_path / "files").rglob("*.json"))


async def test_what_one_caller_writes_no_other_can_read_or_upload(
    served: Served, by_tokens: Auth, alice: str, new_token: Callable[..., str], sandbox: Sandbox, tmp_path: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "operators.tar.gz").write_bytes(b"x")
    part = str(sandbox.store.value("SELECT id FROM parts LIMIT 1"))
    bob = new_token("Bob")
    upload = {"module_file_info": {"module_id": "tidewater:picking", "version": "9.0.0", "platform": "any"}}
    async with served(by_tokens, files_dir=files) as site:
        async with site.client("auto", alice) as client:
            assert not (await client.call_tool("get_robot_part", {"robot_part_id": part, "dest": "p.json"})).is_error
        async with site.client("auto", bob) as client:
            # His own file of that name is another one.
            assert not (await client.call_tool("get_robot_part", {"robot_part_id": part, "dest": "p.json"})).is_error
            for file in ("../token:alice/p.json", "operators.tar.gz", "token:alice/p.json"):
                asked = await said(client, "upload_module_file", **upload, file=file)
                assert "SHA-256" not in asked
    folders = {path.name: path for path in files.iterdir() if path.is_dir()}
    assert {name.partition("~")[0] for name in folders} == {"token:alice", "token:Bob"}
    assert "token:alice" in folders
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in folders.values())


def test_callers_who_do_not_say_who_they_are_share_no_folder_for_files(
    by_tokens: Auth, alice: str, tmp_path: Path
) -> None:
    settings = Settings(transport="http", credentials="headers", files_dir=tmp_path)
    with pytest.raises(SettingsError, match="--files-dir with --credentials headers needs --auth"):
        check(settings)
    check(replace(settings, auth=by_tokens))


async def test_a_budget_holds_for_all_callers_whatever_policy_and_connection_they_have(
    served: Served, by_tokens: Auth, new_token: Callable[..., str], sandbox: Sandbox, tmp_path: Path
) -> None:
    allow = '[[rules]]\naction = "allow"\ntools = ["mark_part_for_restart"]\n'
    server, own = tmp_path / "server.toml", tmp_path / "own.toml"
    server.write_text(f"{allow}[budget]\ndestructive_per_hour = 2\n")
    own.write_text(f"{allow}[budget]\ndestructive_per_hour = 1\n")
    alice, bob, eve = new_token("alice"), new_token("bob", policy=own), new_token("eve")
    part = {"robot_part_id": str(sandbox.store.value("SELECT id FROM parts LIMIT 1"))}

    async def restarts(site: Site, token: str) -> bool:
        async with site.client("auto", token) as client:
            return not (await client.call_tool("mark_part_for_restart", part)).is_error

    async with served(by_tokens, policy=server) as site:
        assert await restarts(site, bob)
        assert not await restarts(site, bob)
        assert await restarts(site, alice)
        assert not await restarts(site, eve)
    # Neither does starting the server again give a new one.
    async with served(by_tokens, policy=server) as site:
        assert not await restarts(site, alice)


def test_a_token_of_a_file_is_good_for_what_its_entry_says_now(token_file: Path) -> None:
    token = add(token_file, "alice")
    add(token_file, "bob")
    file = TokenFile(token_file)
    credential = file._find(digest(token))
    assert credential is not None
    edited(token_file, lambda text: text.replace('name = "alice"', 'name = "alice"\nscopes = ["viam:read"]'))
    now = file._access_now(digest(token))
    assert isinstance(now, Access)
    assert [*now.effects] == ["read"]
    edited(token_file, lambda text: text.partition("\n\n")[2])
    assert file._access_now(digest(token)) is None
    token_file.write_text("broken")
    assert file._access_now(digest(token)) is None


async def test_an_access_token_opens_nothing_once_it_has_ended(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    trust = Trust(issuer.url, "https://fleet.example.com/mcp", issuer.jwks_url)
    credential = AccessTokens(trust, None)._credential(  # type: ignore[arg-type]
        {"sub": "ada", "client_id": "app", "scope": "viam:read", "exp": time.time() + 60}
    )
    assert credential.now() == credential.access
    later = time.time() + 120
    monkeypatch.setattr("viam_mcp.http.auth._oauth.time.time", lambda: later)
    assert credential.now() is None
