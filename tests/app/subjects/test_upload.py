"""Uploading module files."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from grpclib.const import Status

from tests.app.service import KEY, KEY_ID, Service, cut, fail, hang, reply
from viam_mcp.app import (
    AlreadyExists,
    AppClient,
    AppError,
    DeadlineExceeded,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    connect,
)
from viam_mcp.proto import app as wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

INFO = wire.ModuleFileInfo(module_id="a:b", version="1.0.0", platform="linux/arm64")
CHUNK = 64 * 1024
# Two full pieces and a rest, none of them alike.
CONTENT = bytes(range(256)) * 512 + b"the rest"
UPLOADED = reply(wire.UploadModuleFileResponse(url="https://app.viam.com/module/a/b"))


async def asynchronously() -> AsyncIterator[bytes]:
    yield CONTENT[:100_000]
    yield b""
    yield CONTENT[100_000:]


def pieces() -> Iterator[bytes]:
    yield CONTENT[:10]
    yield CONTENT[10:]


SOURCES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: CONTENT,
    "bytearray": lambda: bytearray(CONTENT),
    "memoryview": lambda: memoryview(CONTENT),
    "file": lambda: io.BytesIO(CONTENT),
    "list": lambda: [CONTENT[:70_000], CONTENT[70_000:]],
    "generator": pieces,
    "async generator": asynchronously,
}


def sent(service: Service, attempt: int = -1) -> list[Any]:
    return service.received("UploadModuleFile")[attempt].requests


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
async def test_a_file_is_sent_in_pieces_after_what_it_is(
    service: Service, client: AppClient, source: Callable[[], Any]
) -> None:
    service.on("UploadModuleFile", UPLOADED)
    assert await client.upload_module_file(INFO, source()) == "https://app.viam.com/module/a/b"
    first, *rest = sent(service)
    assert first.module_file_info == INFO
    assert all(request.WhichOneof("module_file") == "file" and 0 < len(request.file) <= CHUNK for request in rest)
    assert b"".join(request.file for request in rest) == CONTENT


async def test_bytes_are_cut_into_full_pieces(service: Service, client: AppClient) -> None:
    await client.upload_module_file(INFO, CONTENT)
    assert [len(request.file) for request in sent(service)[1:]] == [CHUNK, CHUNK, 8]


async def test_a_file_is_read_from_its_position_on(service: Service, client: AppClient, tmp_path: Path) -> None:
    path = tmp_path / "module.tar.gz"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        file.seek(CHUNK)
        await client.upload_module_file(INFO, file)
    assert b"".join(request.file for request in sent(service)[1:]) == CONTENT[CHUNK:]


async def test_progress_is_told_after_each_piece(client: AppClient) -> None:
    told = []

    async def progress(count: int) -> None:
        told.append(count)

    await client.upload_module_file(INFO, CONTENT, progress=progress)
    assert told == [CHUNK, 2 * CHUNK, 2 * CHUNK + 8]


@pytest.mark.parametrize("name", ["bytes", "file", "list"])
async def test_a_refused_token_starts_an_upload_over_where_that_is_possible(
    service: Service, client: AppClient, name: str
) -> None:
    service.on("UploadModuleFile", UPLOADED)
    service.revoke()
    await client.upload_module_file(INFO, SOURCES[name]())
    assert b"".join(request.file for request in sent(service)[1:]) == CONTENT


@pytest.mark.parametrize("name", ["generator", "async generator"])
async def test_a_refused_token_is_final_for_what_can_be_read_only_once(
    service: Service, client: AppClient, name: str
) -> None:
    service.revoke()
    with pytest.raises(Unauthenticated):
        await client.upload_module_file(INFO, SOURCES[name]())
    assert len(service.received("UploadModuleFile")) == 1


@pytest.mark.parametrize("ending", [cut, fail(Status.UNAVAILABLE)], ids=["cut", "unavailable"])
async def test_an_upload_is_never_repeated(service: Service, client: AppClient, ending: Any) -> None:
    service.on("UploadModuleFile", ending, UPLOADED)
    with pytest.raises(Unavailable) as failed:
        await client.upload_module_file(INFO, CONTENT)
    assert failed.value.outcome_unknown
    assert len(service.received("UploadModuleFile")) == 1


async def test_a_refusal_names_the_module_and_its_version(service: Service, client: AppClient) -> None:
    service.on("UploadModuleFile", fail(Status.ALREADY_EXISTS, "version exists"))
    with pytest.raises(AlreadyExists) as failed:
        await client.upload_module_file(INFO, CONTENT)
    assert str(failed.value).startswith(
        "UploadModuleFile(module_id='a:b', version='1.0.0', platform='linux/arm64') failed (ALREADY_EXISTS): version"
    )


@pytest.mark.parametrize("more", [b"", CONTENT], ids=["at the end", "between pieces"])
async def test_a_refusal_in_the_middle_of_an_upload_keeps_its_status(
    service: Service, client: AppClient, more: bytes
) -> None:
    async def refused_meanwhile() -> AsyncIterator[bytes]:
        yield CONTENT
        await service.until(lambda: "UploadModuleFile" in service.ended)
        # Comes over the same connection, so that the refusal has arrived when its answer has.
        await client.get_robot("r")
        yield more

    service.refuse("UploadModuleFile", Status.PERMISSION_DENIED, "not your module")
    with pytest.raises(PermissionDenied, match="not your module"):
        await client.upload_module_file(INFO, refused_meanwhile())


async def test_an_upload_that_gets_no_answer_ends(service: Service) -> None:
    service.on("UploadModuleFile", hang)
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, timeout=0.3) as app:
        with pytest.raises(DeadlineExceeded):
            await app.upload_module_file(INFO, CONTENT)


async def test_an_error_of_the_source_is_the_callers_own_and_cancels_the_upload(
    service: Service, client: AppClient
) -> None:
    def failing() -> Iterator[bytes]:
        yield CONTENT
        raise OSError("disk on fire")

    with pytest.raises(OSError, match="disk on fire"):
        await client.upload_module_file(INFO, failing())
    await service.until(lambda: "UploadModuleFile" in service.ended)


class Observer:
    """An observer that remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @contextmanager
    def calling(self, rpc: str) -> Iterator[Mapping[str, str]]:
        self.seen.append(rpc)
        try:
            yield {"traceparent": "of this call"}
        except AppError as error:
            self.seen.append(error.status.name)
            raise

    def repeating(self, rpc: str, status: str) -> None:
        self.seen.append(f"{rpc} again: {status}")


async def test_an_observer_sees_an_upload_its_repetition_and_its_end(service: Service) -> None:
    service.on("UploadModuleFile", UPLOADED, fail(Status.PERMISSION_DENIED))
    observer = Observer()
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY, observer=observer) as app:
        service.revoke()
        await app.upload_module_file(INFO, CONTENT)
        with pytest.raises(PermissionDenied):
            await app.upload_module_file(INFO, CONTENT)
    assert observer.seen == [
        "Authenticate",
        "UploadModuleFile",
        "UploadModuleFile again: UNAUTHENTICATED",
        "Authenticate",
        "UploadModuleFile",
        "PERMISSION_DENIED",
    ]
    assert {call.metadata["traceparent"] for call in service.received("UploadModuleFile")} == {"of this call"}
