"""What previews tell of the archive that an upload sends."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from viam_mcp.tools.previews._archive import look_into, platform_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tools.previews.conftest import Fleet

ELF = {"amd64": 0x3E, "arm64": 0xB7}


def elf(machine: str) -> bytes:
    return b"\x7fELF\x02\x01" + bytes(12) + ELF[machine].to_bytes(2, "little") + bytes(100)


def archive(files: dict[str, bytes], mode: int = 0o755, how: str = "w:gz", **links: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=how) as packed:  # type: ignore[call-overload]
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            packed.addfile(entry, io.BytesIO(content))
        for path, target in links.items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            packed.addfile(entry)
    return out.getvalue()


def lines(data: bytes, entrypoint: str = "bin/run", platform: str = "linux/arm64") -> list[str]:
    return look_into(io.BytesIO(data)).lines(entrypoint, platform)


@pytest.mark.parametrize("path", ["bin/run", "./bin/run", "bin//run"])
@pytest.mark.parametrize("how", ["w:gz", "w", "w:xz"])
def test_an_entrypoint_that_is_in_the_archive_is_said_to_be(path: str, how: str) -> None:
    assert lines(archive({path: b"#!/bin/sh"}, how=how)) == ["The entrypoint 'bin/run' is in the archive."]
    assert lines(archive({path: elf("arm64")}, how=how)) == ["The entrypoint 'bin/run' is in the archive."]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (archive({"bin/other": b""}), "THE ENTRYPOINT 'bin/run' IS NOT IN THE ARCHIVE"),
        (archive({"bin/run": b""}, mode=0o644), "MAY NOT BE RUN"),
        (archive({"bin/run": elf("amd64")}), "IS A PROGRAM FOR linux/amd64, not for linux/arm64."),
        (archive({"bin/run": b"MZ" + bytes(50)}), "IS A PROGRAM FOR windows/amd64"),
        (archive({"bin/run": b"\xcf\xfa\xed\xfe\x07\x00\x00\x01" + bytes(50)}), "IS A PROGRAM FOR darwin/amd64"),
        (b"module archive" * 100, "NO WHOLE ARCHIVE"),
        (archive({"bin/run": bytes(100_000)})[:-60], "NO WHOLE ARCHIVE"),
        (b"", "NO WHOLE ARCHIVE"),
    ],
    ids=["missing", "not executable", "another processor", "windows", "macOS", "no archive", "cut", "empty"],
)
def test_what_no_machine_could_start_is_said(data: bytes, said: str) -> None:
    assert said in lines(data)[0]


@pytest.mark.parametrize("platform", ["linux/any", "any/amd64", "any", "linux/amd64"])
def test_a_program_fits_every_platform_that_has_its_processor(platform: str) -> None:
    assert lines(archive({"bin/run": elf("amd64")}), platform=platform) == [
        "The entrypoint 'bin/run' is in the archive."
    ]


def test_a_link_counts_as_the_entrypoint() -> None:
    assert lines(archive({}, run="bin/real"), "run") == ["The entrypoint 'run' is in the archive."]


@pytest.mark.parametrize(
    ("description", "said"),
    [
        (
            {"build": {"arch": ["linux/amd64", "darwin/arm64"]}},
            "does NOT NAME THIS PLATFORM; it names 'linux/amd64', 'da",
        ),
        ({"entrypoint": "bin/other"}, "names another entrypoint: 'bin/other'."),
    ],
)
def test_an_archive_that_describes_itself_otherwise_is_said_to(description: dict[str, Any], said: str) -> None:
    data = archive({"bin/run": b"", "meta.json": json.dumps(description).encode()})
    assert any(said in line for line in lines(data))


@pytest.mark.parametrize("meta", [b"[]", b"{", b"\xff", b'{"build": 3, "entrypoint": 4}', b'{"build": {"arch": [1]}}'])
def test_a_description_that_says_nothing_is_left_aside(meta: bytes) -> None:
    assert lines(archive({"bin/run": b"", "meta.json": meta})) == ["The entrypoint 'bin/run' is in the archive."]


def test_a_platform_that_is_unknown_or_new_is_said_to_be() -> None:
    assert platform_lines("linux/arm64", ["linux/arm64", "linux/amd64"]) == []
    assert platform_lines("linux/arm64", []) == []
    assert "NEW PLATFORM for it: there are versions for 'linux/amd64'." in platform_lines("any", ["linux/amd64"])[0]
    assert "NONE OF THE REGISTRY'S PLATFORMS" in platform_lines("linux/riscv", ["linux/riscv"])[0]


async def test_an_upload_says_whether_the_modules_entrypoint_is_in_the_archive(fleet: Fleet, tmp_path: Path) -> None:
    info = {"module_id": "tidewater:drive-control", "version": "1.5.0", "platform": "linux/arm64"}
    for path, said in (("bin/drive-control", "is in the archive."), ("drive", "IS NOT IN THE ARCHIVE")):
        (tmp_path / "archive.tar.gz").write_bytes(archive({path: elf("arm64")}))
        found = await fleet.lines("upload_module_file", module_file_info=info, file="archive.tar.gz")
        assert any("entrypoint 'bin/drive-control'" in line.lower() and said in line for line in found)
