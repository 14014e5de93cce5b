from __future__ import annotations

import json
import resource
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.pace import is_linear
from viam_mcp.calls import Pipeline
from viam_mcp.policy import LOCAL, LazyStore, PolicyError, Refused
from viam_mcp.policy.record._credentials import FileDeliveries, StoreDeliveries
from viam_mcp.policy.record._shown import shown_arguments
from viam_mcp.store import open_store, private_folder
from viam_mcp.tools import TOOLS, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.policy.conftest import Desk
    from viam_mcp.app import AppClient
    from viam_mcp.tools import Tool

PART = "8a1f1ab0-3c86-4c0e-9d5c-2f6f0c4f1a11"
RESERVED = 16_384
MEBIBYTE = 1_048_576

CREATE, ROTATE = TOOLS["create_key"].spec, TOOLS["rotate_key"].spec


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Inside, no file gets larger than so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def deliveries(folder: Path) -> FileDeliveries:
    return FileDeliveries(lambda: private_folder(folder / "secrets"), lambda: datetime(2026, 1, 31, 8, tzinfo=UTC))


def files(folder: Path) -> list[Path]:
    return list((folder / "secrets").iterdir())


async def test_a_delivered_credential_is_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    async with deliveries(tmp_path).new(CREATE, LOCAL) as delivery:
        note = await delivery.write({"api_key": "hush"})
    (path,) = files(tmp_path)
    assert json.loads(path.read_text()) == {"api_key": "hush"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.name.startswith("create_key-20260131T080000Z-")
    assert str(path) in note
    assert "hush" not in note


async def test_a_file_that_nothing_was_written_to_is_removed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        async with deliveries(tmp_path).new(CREATE, LOCAL):
            raise RuntimeError
    assert files(tmp_path) == []


async def test_the_room_for_a_credential_is_taken_before_there_is_one(tmp_path: Path) -> None:
    async with deliveries(tmp_path).new(CREATE, LOCAL) as delivery:
        assert delivery.path.stat().st_size == RESERVED
        # Not one block more is needed.
        with room_for(RESERVED):
            await delivery.write({"api_key": "hush", "note": "x" * (RESERVED - 100)})
    assert json.loads(delivery.path.read_text())["api_key"] == "hush"


async def test_without_room_for_a_credential_none_is_minted(tmp_path: Path) -> None:
    with room_for(RESERVED - 1), pytest.raises(PolicyError, match="no room for the credential"):
        async with deliveries(tmp_path).new(CREATE, LOCAL):
            pytest.fail("it would be minted")
    assert files(tmp_path) == []


async def test_a_credential_that_is_lost_leaves_the_name_of_its_key_and_what_to_do_about_it(tmp_path: Path) -> None:
    answer = {"api_key_id": PART, "api_key": "hush", "warnings": ["x" * RESERVED]}
    with pytest.raises(Refused) as caught:
        async with deliveries(tmp_path).new(CREATE, LOCAL) as delivery:
            with room_for(RESERVED):
                await delivery.write(answer)
    said = str(caught.value)
    for words in ("create_key WAS DONE", "File too large", "delete_key", PART):
        assert words in said
    assert "hush" not in said
    assert len(said) < 2_000
    assert files(tmp_path) == []


async def test_a_cancellation_does_not_lose_a_credential_that_exists(tmp_path: Path) -> None:
    for place in (
        deliveries(tmp_path),
        StoreDeliveries(stored := LazyStore(lambda: open_store(str(tmp_path / "s.db")))),
    ):
        with anyio.CancelScope() as scope:
            async with place.new(CREATE, LOCAL) as delivery:
                scope.cancel()
                await delivery.write({"api_key": "hush"})
    (path,) = files(tmp_path)
    assert json.loads(path.read_text()) == {"api_key": "hush"}
    (waiting,) = stored.get().read(lambda tx: tx.secrets.waiting())
    assert waiting.is_ready
    stored.close()


async def test_a_caller_learns_that_a_call_was_done_whose_credential_cannot_be_given(
    app: AppClient, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk("[[rules]]\ntools = ['create_robot_part_secret', 'create_key']\naction = 'allow'")
    calls, store, part = Pipeline(TOOLS, app, desk.gate), desk.sandbox.store, desk.id("parts", "picker-01-main")
    secrets = "SELECT COUNT(*) FROM secrets WHERE part_id = ?"
    before = store.value(secrets, part)
    store.run("UPDATE parts SET config_json = ? WHERE id = ?", json.dumps({"note": "x" * 2 * MEBIBYTE}), part)
    # The store has room, and the credential's file has none for so long an answer.
    with room_for(MEBIBYTE):
        result = await calls.call("create_robot_part_secret", {"robot_part_id": part}, no_progress)
    assert result.is_error
    assert "create_robot_part_secret WAS DONE" in result.text
    assert "read it with get_robot_part" in result.text
    assert store.value(secrets, part) == before + 1
    assert desk.outcomes() == ["started", "done"]


async def test_a_disk_that_is_full_keeps_a_key_from_being_made(app: AppClient, open_desk: Callable[..., Desk]) -> None:
    desk = open_desk("[[rules]]\ntools = ['create_key']\naction = 'allow'")
    calls, organization = Pipeline(TOOLS, app, desk.gate), desk.id("organizations", "Tidewater Robotics")
    keys = "SELECT COUNT(*) FROM api_keys"
    before = desk.sandbox.store.value(keys)
    role = {"role": "operator", "resource_type": "organization", "resource_id": organization}
    with room_for(RESERVED // 2):
        result = await calls.call("create_key", {"org_id": organization, "authorizations": [role]}, no_progress)
    assert result.is_error
    assert "create_key was not done" in result.text
    assert desk.sandbox.store.value(keys) == before


async def test_two_credentials_of_the_same_moment_have_a_file_each(tmp_path: Path) -> None:
    place = deliveries(tmp_path)
    async with place.new(ROTATE, LOCAL) as one, place.new(ROTATE, LOCAL) as other:
        assert one.path != other.path


async def test_a_folder_that_cannot_be_made_is_told_before_anything_is_minted(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk("[[rules]]\ntools = ['rotate_key']\naction = 'allow'")
    (desk.folder / "secrets").touch()
    key = desk.tool("rotate_key", id=desk.id("api_keys", "fleet-dashboard"))
    with pytest.raises(Refused, match=r"rotate_key was not done: .*secrets cannot be used"):
        async with desk.admitted(key) as admission, admission.delivery():
            pytest.fail("it would be minted")


def test_arguments_are_shown_without_credentials_and_long_ones_by_digest() -> None:
    config = {"modules": [{"env": {"API_TOKEN": "hush-1"}}], "remotes": [{"address": "http://me:hush-2@host"}]}
    tool = TOOLS["update_robot_part"].model_validate(
        {"robot_part_id": PART, "name": "arm", "robot_config": config, "robot_config_json": json.dumps(config)}
    )
    shown = shown_arguments(tool)
    assert "hush" not in json.dumps(shown)
    assert shown["robot_part_id"] == PART
    assert shown["robot_config"]["modules"] == [{"env": {"API_TOKEN": "[redacted]"}}]
    assert set(shown) == {"robot_part_id", "name", "robot_config", "robot_config_json"}

    long = {"attributes": {"text": "x" * 5_000}}
    tool = TOOLS["update_robot_part"].model_validate({"robot_part_id": PART, "name": "arm", "robot_config": long})
    assert shown_arguments(tool)["robot_config"].startswith("[5,0")


@pytest.mark.parametrize("before", ["", " ", "\n", "\r\n\t "], ids=repr)
@pytest.mark.parametrize("after", ["", "\n"], ids=repr)
def test_json_text_is_shown_without_credentials_whatever_space_is_around_it(before: str, after: str) -> None:
    # What only a reader of JSON finds: a name and its value apart, a list, an escaped name.
    config = {"env": [{"name": "TOKEN", "value": "hush"}], "secret": {"of": ["hush"]}, "args": ["--token", "hush"]}
    text = f'{before}{json.dumps(config)[:-1]}, "pass\\u0077ord": "hush"}}{after}'
    tool = TOOLS["update_robot_part"].model_validate({"robot_part_id": PART, "name": "arm", "robot_config_json": text})
    shown = shown_arguments(tool)["robot_config_json"]
    assert "hush" not in shown
    assert set(json.loads(shown)) == {"env", "secret", "args", "password"}


@pytest.mark.parametrize("argument", ["robot_config", "robot_config_json"])
def test_arguments_are_shown_in_time_that_grows_with_their_length(argument: str) -> None:
    def call(size: int) -> Tool:
        config: Any = {"a": "-eyJ" * size}
        value = json.dumps(config) if argument.endswith("json") else config
        return TOOLS["update_robot_part"].model_validate({"robot_part_id": PART, "name": "arm", argument: value})

    assert is_linear(shown_arguments, call, 16_000)
