"""The one folder that tools read and write: nothing leaves it, nothing is overwritten unasked."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from tests.answers import text_in
from tests.fleet import EVERYTHING
from tests.stores import store_in
from viam_mcp.calls import Pipeline
from viam_mcp.policy import Gate, Policy
from viam_mcp.server import build_server
from viam_mcp.tools import TOOLS, Files, ToolError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Mode
    from tests.fleet import Fleet

OUTSIDE = ["/etc/hostname", "../secret", "a/../../secret", "..", "a/..", ".", "", "/", "a/", "a\0b"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def files(root: Path) -> Files:
    return Files(root)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file beside the folder, which no tool may touch."""
    file = tmp_path / "secret"
    file.write_bytes(b"untouched")
    return file


def read(files: Files, path: str) -> bytes:
    with files.open(path) as (file, size):
        data = file.read()
        assert len(data) == size
        return data


def test_a_file_is_written_with_its_folders_for_the_owner_alone(files: Files, root: Path) -> None:
    files.write("a/b/c.txt", b"data", overwrite=False)
    assert (root / "a/b/c.txt").read_bytes() == read(files, "a/./b//c.txt") == b"data"
    assert stat.S_IMODE((root / "a/b/c.txt").stat().st_mode) == 0o600
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o700
    assert [path.name for path in (root / "a/b").iterdir()] == ["c.txt"]


def test_an_existing_file_is_replaced_only_if_that_was_asked(files: Files, root: Path) -> None:
    files.write("f", b"old", overwrite=False)
    with pytest.raises(ToolError, match=r"'f' exists\. .*overwrite=true"):
        files.write("f", b"new", overwrite=False)
    assert read(files, "f") == b"old"
    files.write("f", b"new", overwrite=True)
    assert read(files, "f") == b"new"
    assert [path.name for path in root.iterdir()] == ["f"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_paths_that_are_not_below_the_folder_are_refused(files: Files, outside: Path, root: Path, path: str) -> None:
    with pytest.raises(ToolError, match="not a path below"):
        files.write(path, b"x", overwrite=True)
    with pytest.raises(ToolError, match="not a path below"):
        read(files, path)
    assert outside.read_bytes() == b"untouched"
    assert [*root.iterdir()] == []


def test_a_link_to_a_file_is_neither_read_nor_written_through(files: Files, root: Path, outside: Path) -> None:
    (root / "link").symlink_to(outside)
    with pytest.raises(ToolError, match="link"):
        read(files, "link")
    with pytest.raises(ToolError, match="exists"):
        files.write("link", b"x", overwrite=False)
    files.write("link", b"x", overwrite=True)
    assert outside.read_bytes() == b"untouched"
    assert not (root / "link").is_symlink()
    assert read(files, "link") == b"x"


def test_a_hard_link_is_not_read_and_is_replaced_not_written_through(files: Files, root: Path, outside: Path) -> None:
    (root / "link").hardlink_to(outside)
    with pytest.raises(ToolError, match="hard links"):
        read(files, "link")
    with pytest.raises(ToolError, match="hard links"):
        files.digest("link")
    files.write("link", b"x", overwrite=True)
    assert outside.read_bytes() == b"untouched"
    assert read(files, "link") == b"x"


@pytest.mark.parametrize(
    "name", ["a\u200bb", "report\u202egnp.json", "a\u00ad", "a\nb", "a\x1b[2Jb", "a\ufe0f", "a\tb", "\u2028"]
)
async def test_a_file_name_with_characters_that_cannot_be_seen_is_refused(fleet: Fleet, name: str) -> None:
    part_id = fleet.id("parts", "picker-01-main")
    for path in (name, f"{name}/f", f"f/{name}"):
        error = await fleet.call.error("get_robot_part", robot_part_id=part_id, dest=path)
        assert "cannot be seen" in error
    assert [*fleet.files.iterdir()] == []


def test_a_link_to_a_folder_is_not_followed(files: Files, root: Path, outside: Path) -> None:
    (root / "up").symlink_to(outside.parent)
    with pytest.raises(ToolError, match="link"):
        read(files, "up/secret")
    with pytest.raises(ToolError, match="link"):
        files.write("up/secret", b"x", overwrite=True)
    with pytest.raises(ToolError, match="link"):
        files.write("up/more/secret", b"x", overwrite=True)
    assert outside.read_bytes() == b"untouched"
    assert {path.name for path in outside.parent.iterdir()} == {"files", "secret"}


def test_a_link_put_in_place_of_a_folder_while_a_file_is_written_is_not_followed(
    files: Files, root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "sub").mkdir()
    synchronize = os.fsync

    def swap(descriptor: int) -> None:
        """The moment between the check of the path and its use."""
        synchronize(descriptor)
        if not (root / "sub").is_symlink():
            (root / "sub").rename(root / "moved")
            (root / "sub").symlink_to(outside.parent)

    monkeypatch.setattr(os, "fsync", swap)
    files.write("sub/secret", b"x", overwrite=True)
    assert outside.read_bytes() == b"untouched"
    assert (root / "moved/secret").read_bytes() == b"x"


def test_the_folder_itself_may_be_given_as_a_link(tmp_path: Path, root: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    files = Files(tmp_path / "link")
    files.write("f", b"x", overwrite=False)
    assert (root / "f").read_bytes() == b"x"


def test_what_is_no_folder_is_refused_at_the_start(outside: Path, tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        Files(outside)
    with pytest.raises(FileNotFoundError):
        Files(tmp_path / "missing")


def test_only_regular_files_are_read(files: Files, root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ToolError, match="not a regular file"):
            read(files, name)
    with pytest.raises(ToolError, match="No such file"):
        read(files, "missing")


def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_not_written_into(files: Files, root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ToolError, match="exists"):
            files.write(name, b"x", overwrite=False)
    with pytest.raises(ToolError, match="cannot be written"):
        files.write("folder", b"x", overwrite=True)
    assert {path.name for path in root.iterdir()} == {"pipe", "folder"}


def test_a_file_in_the_place_of_a_folder_is_refused(files: Files) -> None:
    files.write("f", b"x", overwrite=False)
    with pytest.raises(ToolError, match="not a folder"):
        files.write("f/g", b"x", overwrite=True)


@pytest.mark.parametrize("name", ["n" * 300, "日" * 100])
def test_a_name_that_is_too_long_is_refused_and_leaves_nothing(files: Files, root: Path, name: str) -> None:
    with pytest.raises(ToolError, match="name too long"):
        files.write(name, b"x", overwrite=False)
    with pytest.raises(ToolError, match="name too long"):
        files.write(f"{name}/f", b"x", overwrite=False)
    assert [*root.iterdir()] == []


def test_a_folder_that_is_gone_is_said_to_be(files: Files, root: Path) -> None:
    root.rmdir()
    with pytest.raises(ToolError, match="No such file or directory"):
        files.write("f", b"x", overwrite=False)


def test_a_write_that_fails_keeps_what_was_there(files: Files, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write("f", b"old", overwrite=False)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ToolError, match="No space left"):
        files.write("f", b"new", overwrite=True)
    assert read(files, "f") == b"old"
    assert [path.name for path in root.iterdir()] == ["f"]


async def test_dest_says_where_the_file_is_and_never_overwrites_unasked(fleet: Fleet) -> None:
    arguments = {"robot_part_id": fleet.id("parts", "picker-01-main"), "dest": "part.json"}
    answer = await fleet.call("get_robot_part", **arguments)
    size = (fleet.files / "part.json").stat().st_size
    assert answer["warnings"] == [f"Written to 'part.json': {size:,} bytes."]
    assert "overwrite=true" in await fleet.call.error("get_robot_part", **arguments)
    await fleet.call("get_robot_part", **arguments, overwrite=True)


async def test_only_the_first_page_of_logs_writes_the_file(fleet: Fleet) -> None:
    arguments = {
        "robot_part_id": fleet.id("parts", "picker-02-cameras"),
        "num_log_entries": 20,
        "dest": "logs.jsonl",
        "limit": 5,
    }
    first = await fleet.call("get_robot_part_logs", **arguments)
    assert len((fleet.files / "logs.jsonl").read_text().splitlines()) == 20
    second = await fleet.call("get_robot_part_logs", **arguments, cursor=first["next_cursor"])
    assert "warnings" not in second


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("get_robot_part", {"robot_part_id": ("parts", "picker-01-main"), "dest": "f"}),
        ("get_robot_part_logs", {"robot_part_id": ("parts", "picker-01-main"), "dest": "f"}),
        (
            "upload_module_file",
            {
                "module_file_info": {"module_id": "tidewater:picking", "version": "9.0.0", "platform": "any"},
                "file": "f",
            },
        ),
    ],
)
async def test_without_a_files_folder_files_are_refused_with_the_way_on(
    fleet: Fleet, mode: Mode, tmp_path: Path, tool: str, arguments: dict[str, Any]
) -> None:
    given = {key: fleet.id(*value) if isinstance(value, tuple) else value for key, value in arguments.items()}
    with store_in(tmp_path, database="other.db") as store:
        calls = Pipeline(TOOLS, fleet.app, Gate(Policy([EVERYTHING]), fleet.app, store))
        async with Client(build_server(calls).mcp, mode=mode) as client:
            result = await client.call_tool(tool, given)
    assert result.is_error
    assert "--files-dir" in text_in(result)
