from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from viam_mcp.policy import PolicyError, state_dir
from viam_mcp.policy._credentials import Delivery
from viam_mcp.policy._shown import shown_arguments
from viam_mcp.tools import TOOLS

if TYPE_CHECKING:
    from pathlib import Path

PART = "8a1f1ab0-3c86-4c0e-9d5c-2f6f0c4f1a11"


def test_a_delivered_credential_is_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    with Delivery(tmp_path / "secrets", "create_key", lambda: datetime(2026, 1, 31, 8, tzinfo=UTC)) as delivery:
        note = delivery.write({"api_key": "hush"})
    assert json.loads(delivery.path.read_text()) == {"api_key": "hush"}
    assert delivery.path.stat().st_mode & 0o777 == 0o600
    assert delivery.path.parent.stat().st_mode & 0o777 == 0o700
    assert delivery.path.name.startswith("create_key-20260131T080000Z-")
    assert str(delivery.path) in note
    assert "hush" not in note


def test_a_file_that_nothing_was_written_to_is_taken_away(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Delivery(tmp_path, "create_key"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_two_credentials_of_the_same_moment_have_a_file_each(tmp_path: Path) -> None:
    with Delivery(tmp_path, "rotate_key") as one, Delivery(tmp_path, "rotate_key") as other:
        assert one.path != other.path


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_minted(tmp_path: Path) -> None:
    (tmp_path / "secrets").touch()
    with pytest.raises(PolicyError):
        Delivery(tmp_path / "secrets", "create_key")


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
