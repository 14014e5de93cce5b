"""A module's file goes from the files folder to the service in pieces, and the client sees how far it is."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import anyio
import pytest
from grpclib.const import Status

from tests.pace import PATIENCE
from viam_mcp.sandbox import Fault

if TYPE_CHECKING:
    from tests.fleet import Fleet

PIECE = 64 * 1024
INFO = {"module_id": "tidewater:picking", "version": "9.0.0", "platform": "linux/amd64"}


def uploads(fleet: Fleet) -> int:
    return int(fleet.value("SELECT COUNT(*) FROM registry_uploads WHERE version = ?", INFO["version"]))


async def test_every_byte_arrives_and_progress_is_told_piece_by_piece(fleet: Fleet) -> None:
    archive = secrets.token_bytes(5 * PIECE + 17)
    (fleet.files / "builds").mkdir()
    (fleet.files / "builds" / "picking.tar.gz").write_bytes(archive)
    told: list[tuple[float, float | None, str | None]] = []
    all_told = anyio.Event()

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, total, message))
        if done == total:
            all_told.set()

    result = await fleet.call.result(
        "upload_module_file",
        {"module_file_info": INFO, "file": "builds/picking.tar.gz"},
        progress_callback=progress,
    )
    assert not result.is_error
    row = fleet.sandbox.store.one("SELECT size, sha256 FROM registry_uploads WHERE version = ?", INFO["version"])
    assert row
    assert tuple(row) == (len(archive), hashlib.sha256(archive).hexdigest())
    with anyio.fail_after(PATIENCE):
        await all_told.wait()
    done = [step[0] for step in told]
    assert done == [*range(PIECE, 5 * PIECE + 1, PIECE), len(archive)]
    assert {step[1] for step in told} == {len(archive)}
    assert told[-1][2] == f"{len(archive):,} of {len(archive):,} bytes"


@pytest.mark.parametrize("file", ["missing.tar.gz", "../picking.tar.gz", "/etc/hostname"])
async def test_what_is_not_in_the_folder_is_not_uploaded(fleet: Fleet, file: str) -> None:
    error = await fleet.call.error("upload_module_file", module_file_info=INFO, file=file)
    assert f"'{file}'" in error
    assert fleet.sandbox.calls["UploadModuleFile"] == 0


async def test_an_empty_file_is_refused_by_the_service_in_words(fleet: Fleet) -> None:
    (fleet.files / "empty.tar.gz").touch()
    error = await fleet.call.error("upload_module_file", module_file_info=INFO, file="empty.tar.gz")
    assert "INVALID_ARGUMENT" in error
    assert "empty" in error


async def test_a_version_is_uploaded_once(fleet: Fleet) -> None:
    (fleet.files / "picking.tar.gz").write_bytes(b"x")
    await fleet.call("upload_module_file", module_file_info=INFO, file="picking.tar.gz")
    error = await fleet.call.error("upload_module_file", module_file_info=INFO, file="picking.tar.gz")
    assert "ALREADY_EXISTS" in error
    assert uploads(fleet) == 1


@pytest.mark.parametrize("executed", [True, False])
async def test_an_upload_whose_answer_is_lost_is_not_repeated(fleet: Fleet, executed: bool) -> None:
    (fleet.files / "picking.tar.gz").write_bytes(b"x" * PIECE)
    fleet.sandbox.faults.add("UploadModuleFile", Fault(status=Status.UNAVAILABLE, executed=executed))
    error = await fleet.call.error("upload_module_file", module_file_info=INFO, file="picking.tar.gz")
    assert "UNAVAILABLE" in error
    assert "may have happened" in error
    assert fleet.sandbox.calls["UploadModuleFile"] == 1
    assert uploads(fleet) == int(executed)
