from __future__ import annotations

import json
import resource
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pace import is_linear
from viam_mcp.calls import Pipeline
from viam_mcp.policy import PolicyError, Refused, state_dir
from viam_mcp.policy.record._credentials import Delivery
from viam_mcp.policy.record._shown import shown_arguments
from viam_mcp.tools import TOOLS, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.policy.conftest import Desk
    from viam_mcp.app import AppClient
    from viam_mcp.tools import Tool

PART = "8a1f1ab0-3c86-4c0e-9d5c-2f6f0c4f1a11"
RESERVED = 16_384

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


def test_a_delivered_credential_is_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    with Delivery(tmp_path / "secrets", CREATE, lambda: datetime(2026, 1, 31, 8, tzinfo=UTC)) as delivery:
        note = delivery.write({"api_key": "hush"})
    assert json.loads(delivery.path.read_text()) == {"api_key": "hush"}
    assert delivery.path.stat().st_mode & 0o777 == 0o600
    assert delivery.path.parent.stat().st_mode & 0o777 == 0o700
    assert delivery.path.name.startswith("create_key-20260131T080000Z-")
    assert str(delivery.path) in note
    assert "hush" not in note


def test_a_file_that_nothing_was_written_to_is_taken_away(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Delivery(tmp_path, CREATE):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_room_for_a_credential_is_taken_before_there_is_one(tmp_path: Path) -> None:
    with Delivery(tmp_path, CREATE) as delivery:
        assert delivery.path.stat().st_size == RESERVED
        # Not one block more is needed.
        with room_for(RESERVED):
            delivery.write({"api_key": "hush", "note": "x" * (RESERVED - 100)})
    assert json.loads(delivery.path.read_text())["api_key"] == "hush"


def test_without_room_for_a_credential_none_is_minted(tmp_path: Path) -> None:
    with room_for(RESERVED - 1), pytest.raises(PolicyError, match="no room for the credential"):
        Delivery(tmp_path, CREATE)
    assert list(tmp_path.iterdir()) == []


def test_a_credential_that_is_lost_leaves_the_name_of_its_key_and_what_to_do_about_it(tmp_path: Path) -> None:
    answer = {"api_key_id": PART, "api_key": "hush", "warnings": ["x" * RESERVED]}
    with Delivery(tmp_path, CREATE) as delivery, room_for(RESERVED), pytest.raises(Refused) as caught:
        delivery.write(answer)
    said = str(caught.value)
    for words in ("create_key WAS DONE", "File too large", "delete_key", PART):
        assert words in said
    assert "hush" not in said
    assert len(said) < 2_000
    assert list(tmp_path.iterdir()) == []


async def test_a_caller_learns_that_a_call_was_done_whose_credential_cannot_be_given(
    app: AppClient, open_desk: Callable[..., Desk]
) -> None:
    desk = open_desk("[[rules]]\ntools = ['create_robot_part_secret', 'create_key']\naction = 'allow'")
    calls, store, part = Pipeline(TOOLS, app, desk.gate), desk.sandbox.store, desk.id("parts", "picker-01-main")
    secrets = "SELECT COUNT(*) FROM secrets WHERE part_id = ?"
    before = store.value(secrets, part)
    store.run("UPDATE parts SET config_json = ? WHERE id = ?", json.dumps({"note": "x" * RESERVED}), part)
    with room_for(RESERVED):
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
    assert "no room for the credential" in result.text
    assert desk.sandbox.store.value(keys) == before


def test_two_credentials_of_the_same_moment_have_a_file_each(tmp_path: Path) -> None:
    with Delivery(tmp_path, ROTATE) as one, Delivery(tmp_path, ROTATE) as other:
        assert one.path != other.path


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_minted(tmp_path: Path) -> None:
    (tmp_path / "secrets").touch()
    with pytest.raises(PolicyError):
        Delivery(tmp_path / "secrets", CREATE)


def test_the_state_folder_follows_the_xdg_specification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_dir({"XDG_STATE_HOME": str(tmp_path / "x")}) == tmp_path / "x" / "viam-mcp"
    assert state_dir({}) == tmp_path / ".local" / "state" / "viam-mcp"
    assert state_dir({"XDG_STATE_HOME": "relative"}) == tmp_path / ".local" / "state" / "viam-mcp"


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


def test_without_a_home_it_is_said_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("could not determine home directory")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(PolicyError, match="set XDG_STATE_HOME, or HOME"):
        state_dir({})
    assert state_dir({"XDG_STATE_HOME": "/srv"}) == Path("/srv/viam-mcp")
