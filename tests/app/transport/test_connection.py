"""Connections to servers that misbehave: frames, the end of a connection, and what it leaves behind."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hyperframe.frame import Frame

from tests.app.service import KEY, KEY_ID, Received, Service, hang, reply, serving
from viam_mcp.app import (
    AppClient,
    NotFound,
    Unavailable,
    connect,
)
from viam_mcp.app.transport import _connection
from viam_mcp.proto import app as wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Header = tuple[str | bytes, str | bytes]

from tests.app.transport.answers import GOAWAY_AT_ONCE, HEAD, MACHINE, frame, framed, others_go_on, raw, refuse


@pytest.mark.parametrize("data", [frame(0xEE, b"unknown"), frame(0x0A, b"\0\7a.comh2=1"), frame(6, b"12345678")])
async def test_frames_that_a_client_has_no_use_for_are_ignored(
    service: Service, client: AppClient, data: bytes
) -> None:
    service.on("GetRobot", raw(data))

    async def misbehaves() -> None:
        assert (await client.get_robot("r")).name == "rover"

    await others_go_on(service, client, misbehaves)


async def test_an_early_hint_is_ignored(service: Service, client: AppClient) -> None:
    async def behave(call: Received) -> None:
        await call.stream._stream.send_headers([(":status", "103"), ("link", "</x>")])
        await call.stream.send_message(MACHINE)

    service.on("GetRobot", behave)
    assert (await client.get_robot("r")).name == "rover"


async def test_a_server_that_breaks_the_rules_is_asked_again_over_another_connection(
    service: Service, client: AppClient
) -> None:
    # Data on stream 0, which is the connection's own.
    service.on("GetRobot", raw(frame(0, b"x")), reply(MACHINE))
    assert (await client.get_robot("r")).name == "rover"
    service.on("DeleteRobot", raw(frame(0, b"x")))
    with pytest.raises(Unavailable, match="broke the rules of HTTP/2") as failed:
        await client.delete_robot("r")
    assert failed.value.outcome_unknown


@pytest.mark.parametrize(
    "unprocessed", [refuse, raw(GOAWAY_AT_ONCE, wire.DeleteRobotResponse())], ids=["refused stream", "goaway"]
)
async def test_even_a_write_is_sent_again_when_the_server_says_that_it_was_not_processed(
    service: Service, client: AppClient, unprocessed: Any
) -> None:
    service.on("DeleteRobot", unprocessed, reply(wire.DeleteRobotResponse()))
    await client.delete_robot("r")
    assert len(service.received("DeleteRobot")) == 2


async def test_a_write_that_is_never_processed_has_not_happened(service: Service, client: AppClient) -> None:
    service.on("DeleteRobot", refuse)
    with pytest.raises(Unavailable, match="before it processed any of it") as failed:
        await client.delete_robot("r")
    assert not failed.value.outcome_unknown
    assert len(service.received("DeleteRobot")) == 4


async def test_a_write_that_the_server_had_begun_when_it_stopped_is_left_open(
    service: Service, client: AppClient
) -> None:
    service.on("DeleteRobot", raw(frame(7, struct.pack(">II", 99, 0)), wire.DeleteRobotResponse()))
    with pytest.raises(Unavailable, match="GOAWAY") as failed:
        await client.delete_robot("r")
    assert failed.value.outcome_unknown
    assert len(service.received("DeleteRobot")) == 1


async def test_an_upload_that_cannot_be_read_again_is_not_sent_again(service: Service, client: AppClient) -> None:
    service.on("UploadModuleFile", refuse)
    with pytest.raises(Unavailable) as failed:
        await client.upload_module_file(wire.ModuleFileInfo(module_id="a:b"), iter([b"x"]))
    assert not failed.value.outcome_unknown
    assert len(service.received("UploadModuleFile")) == 1
    with pytest.raises(Unavailable):
        await client.upload_module_file(wire.ModuleFileInfo(module_id="a:b"), b"x")
    assert len(service.received("UploadModuleFile")) == 5


async def test_a_connection_that_fails_inside_ends_its_calls_with_errors_of_ours(
    service: Service, client: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.on("DeleteRobot", hang)
    call = asyncio.create_task(client.delete_robot("r"))
    await service.until(lambda: bool(service.received("DeleteRobot")))
    protocol: Any = client.session.channel._protocol

    def feed(_data: bytes) -> None:
        raise KeyError("something inside h2")

    monkeypatch.setattr(protocol.connection, "feed", feed)
    protocol.data_received(b"\0")
    with pytest.raises(Unavailable, match="cannot be processed: KeyError"):
        await call


def test_a_connection_remembers_few_closed_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    async def many_calls() -> int:
        service = Service()
        service.on("GetRobot", reply(MACHINE))
        async with serving(service), connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
            for _ in range(12):
                await app.get_robot("r")
            h2: Any = app.session.channel._protocol
            return len(h2.connection._connection._closed_streams)

    monkeypatch.setattr(_connection, "CLOSED_STREAMS", 5)
    assert asyncio.run(many_calls()) == 5


async def test_nobody_makes_the_text_of_a_frame_that_nobody_logs(
    service: Service, client: AppClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []

    def text(frame: Frame) -> str:
        made.append(frame)
        return "a frame"

    monkeypatch.setattr(Frame, "__repr__", text)
    service.on("GetRobot", reply(MACHINE))
    # The server of the tests uses the same h2.
    await client.get_robot("r")
    assert made == [], "h2 has another way to log what it receives: see transport/_connection.py"


@pytest.mark.parametrize("follows", [frame(0, b"x"), frame(7, struct.pack(">II", 99, 0))], ids=["nonsense", "goaway"])
async def test_an_answer_counts_whatever_follows_it_in_the_same_packet(
    service: Service, client: AppClient, follows: bytes
) -> None:
    def ends_with(status: str) -> Callable[[Received], Awaitable[None]]:
        async def behave(call: Received) -> None:
            stream = call.stream._stream
            h2 = stream._h2_connection
            h2.send_headers(stream.id, HEAD)
            h2.send_data(stream.id, framed(MACHINE.SerializeToString()))
            h2.send_headers(stream.id, [("grpc-status", status)], end_stream=True)
            stream._transport.write(h2.data_to_send() + follows)
            for step in ("initial_metadata", "message", "trailing_metadata"):
                setattr(call.stream, f"_send_{step}_done", True)

        return behave

    service.on("GetRobot", ends_with("0"))
    assert (await client.get_robot("r")).name == "rover"
    assert len(service.received("GetRobot")) == 1
    service.on("GetRobot", ends_with("5"))
    with pytest.raises(NotFound):
        await client.get_robot("r")


@pytest.mark.parametrize("size", [1, 2, 8, 9, 10, 100])
async def test_frames_may_come_in_pieces_of_any_size(
    service: Service, client: AppClient, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    whole = _connection.ClientProtocol.data_received

    def in_pieces(protocol: _connection.ClientProtocol, data: bytes) -> None:
        for begin in range(0, len(data), size):
            whole(protocol, data[begin : begin + size])

    monkeypatch.setattr(_connection.ClientProtocol, "data_received", in_pieces)
    service.on("GetRobot", reply(MACHINE))
    async with connect(service.url, api_key_id=KEY_ID, api_key=KEY) as app:
        assert (await app.get_robot("r")).name == "rover"
